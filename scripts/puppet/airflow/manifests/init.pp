# @summary The packages, the site's defaults and the Airflow instances of a host
#
# Parameters of an instance are those of /etc/airflow/instances.d/NAME.yaml, by the
# same names; airflow-instance(1) lists them. What has no declaration here is left as
# it is; `ensure: absent` takes an instance away and leaves its data.
#
# @param instances what is to be declared, by name
# @param secrets the same for what is secret, by the same names
# @param defaults what all instances of the host have; undef leaves defaults.yaml alone
# @param packages what to install; [] leaves that to others
# @param package_ensure installed, or a version; after another Airflow see
#   `airflow-instance ls`: whatever has to be migrated waits for a person
#
# @example
#   class { 'airflow':
#     instances => { 'analytics' => { 'create_user' => true, 'db' => 'postgresql' } },
#   }
class airflow (
  Hash[String[1], Hash] $instances = {},
  Variant[Hash[String[1], Hash], Sensitive[Hash[String[1], Hash]]] $secrets = {},
  Optional[Hash] $defaults = undef,
  Array[String[1]] $packages = ['airflow', 'airflow-instances'],
  String[1] $package_ensure = 'installed',
) {
  package { $packages:
    ensure => $package_ensure,
  }

  if $defaults =~ NotUndef {
    file { '/etc/airflow/defaults.yaml':
      ensure  => file,
      owner   => 'root',
      group   => 'root',
      mode    => '0644',
      content => airflow::declaration($defaults),
      require => Package[$packages],
    }
    File['/etc/airflow/defaults.yaml'] -> Airflow::Instance <| |>
  }

  $known = $secrets ? {
    Sensitive => $secrets.unwrap,
    default   => $secrets,
  }
  $strangers = $known.keys - $instances.keys
  unless $strangers.empty {
    fail("airflow::secrets: ${strangers.join(', ')}: no such key in airflow::instances")
  }

  $instances.each |String $instance, Hash $parameters| {
    $own = $known[$instance] ? {
      Undef   => undef,
      default => Sensitive($known[$instance]),
    }
    airflow::instance { $instance:
      parameters => $parameters,
      secrets    => $own,
    }
  }
}
