# frozen_string_literal: true

require 'json'

# The text of a declaration, as airflow-instance reads it.
#
# Every text is quoted, so that none is taken for a number or a truth, and nothing is
# written by reference: YAML's own writer has an alias for a value that stands twice.
Puppet::Functions.create_function(:'airflow::declaration') do
  # @param parameters what everyone may read; a Sensitive inside is an error
  dispatch :public_text do
    param 'Hash', :parameters
    return_type 'String'
  end

  # @param secrets what only root may read; the caller wraps the text again
  dispatch :secret_text do
    param 'Sensitive', :secrets
    return_type 'String'
  end

  def public_text(parameters)
    header + block(parameters, '', false)
  end

  def secret_text(secrets)
    header + block(secrets.unwrap, '', true)
  end

  def header
    "# Managed by Puppet: what is changed here by hand is lost.\n"
  end

  def block(parameters, indent, secret)
    parameters.map { |key, value| entry(key, value, indent, secret) }.join
  end

  def entry(key, value, indent, secret)
    if value.is_a?(Puppet::Pops::Types::PSensitiveType::Sensitive)
      raise Puppet::Error, "airflow: #{key} is Sensitive; it belongs to secrets" unless secret

      value = value.unwrap
    end
    # Puppet 5's word for undef inside a hash.
    value = nil if value == :undef
    return "#{indent}#{key}: #{JSON.generate(value)}\n" unless value.is_a?(Hash) && !value.empty?

    "#{indent}#{key}:\n#{block(value, "#{indent}  ", secret)}"
  end
end
