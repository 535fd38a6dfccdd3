# @summary One Airflow instance: its declaration, and that the host is as it says
#
# A new instance gets its tables and is started, unless its `start` says otherwise.
# After that it is nobody's but its team's whether it runs, and migrations of a
# database with data are never begun from here.
#
# @param parameters as in /etc/airflow/instances.d/NAME.yaml; see airflow-instance(1)
# @param secrets those of them that are secret, for /etc/airflow/secrets.d/NAME.yaml;
#   undef leaves that file alone
#
# @example
#   airflow::instance { 'analytics':
#     parameters => { 'create_user' => true, 'db' => 'postgresql' },
#     secrets    => Sensitive({ 'airflow_config' => { 'smtp' => { 'smtp_password' => $password } } }),
#   }
define airflow::instance (
  Hash $parameters = {},
  Optional[Variant[Hash, Sensitive[Hash]]] $secrets = undef,
) {
  include airflow

  unless $title =~ /\A[a-z][a-z0-9-]*\z/ {
    fail("airflow::instance[${title}]: not a name: lower case letters, digits and dashes")
  }
  $declared = { 'ensure' => 'present' } + $parameters

  file { "/etc/airflow/instances.d/${title}.yaml":
    ensure  => file,
    owner   => 'root',
    group   => 'root',
    mode    => '0644',
    content => airflow::declaration($declared),
    require => Package[$airflow::packages],
    before  => Exec["airflow-instance apply ${title}"],
  }

  if $secrets =~ NotUndef {
    # Never in a diff, a report or the file bucket.
    file { "/etc/airflow/secrets.d/${title}.yaml":
      ensure    => file,
      owner     => 'root',
      group     => 'root',
      mode      => '0600',
      content   => Sensitive(airflow::declaration($secrets)),
      show_diff => false,
      backup    => false,
      require   => Package[$airflow::packages],
      before    => Exec["airflow-instance apply ${title}"],
    }
  }

  Exec {
    path      => ['/usr/sbin', '/usr/bin', '/sbin', '/bin'],
    provider  => 'shell',
    timeout   => 1800,
    logoutput => true,
  }

  # Status 2 is "it is so already". Any other but 0 is an error, which the command itself
  # is to report: so it is run then, too.
  exec { "airflow-instance apply ${title}":
    unless => "airflow-instance apply --dry-run --detailed-exitcode ${title}; test $? -eq 2",
  }

  if $declared['ensure'] == 'present' {
    exec { "airflow-instance migrate --if-empty ${title}":
      unless  => "airflow-instance migrate --dry-run --if-empty ${title}; test $? -eq 2",
      require => Exec["airflow-instance apply ${title}"],
    }
    exec { "airflow-instance start ${title}":
      refreshonly => true,
      onlyif      => "systemctl is-enabled --quiet airflow@${title}.service",
      subscribe   => Exec["airflow-instance migrate --if-empty ${title}"],
    }
  }
}
