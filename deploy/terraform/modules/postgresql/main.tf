variable "host" {
  description = "Where it is."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9.-]+$", var.host))
    error_message = "host: a name or an IPv4 address, without a scheme or a port."
  }
}

variable "port" {
  description = "Its port."
  type        = number
  default     = 5432

  validation {
    condition     = var.port >= 1 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "port: 1 to 65535."
  }
}

variable "database" {
  description = "A database that the control plane has for itself."
  type        = string
  default     = "aegis"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database))
    error_message = "database: small letters, digits and underscores."
  }
}

variable "user" {
  description = "Who owns its tables."
  type        = string
  default     = "aegis"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.user))
    error_message = "user: small letters, digits and underscores."
  }
}

variable "verify" {
  description = "verify-full, or verify-ca where the certificate does not name the host and its authority serves nobody else."
  type        = string
  default     = "verify-full"

  validation {
    condition     = contains(["verify-full", "verify-ca"], var.verify)
    error_message = "verify: verify-full or verify-ca; a server that nobody verifies may be anybody."
  }
}

variable "authorities" {
  description = "A file in the control plane's pod of the authorities of its certificate."
  type        = string
  default     = "/etc/ssl/certs/ca-certificates.crt"

  validation {
    condition     = startswith(var.authorities, "/")
    error_message = "authorities: an absolute path."
  }
}

variable "networks" {
  description = "CIDR blocks of it, which the control plane may reach at its port."
  type        = set(string)

  validation {
    condition = length(var.networks) > 0 && alltrue([
      for network in var.networks : can(cidrhost(network, 0)) && !can(regex("/0$", network))
    ])
    error_message = "networks: CIDR blocks, and not all there are."
  }
}

output "url" {
  description = "For database.url in the Secret of the control plane, where USER:PASSWORD takes the place of the user."
  value       = "postgresql://${var.user}@${var.host}:${var.port}/${var.database}?sslmode=${var.verify}&sslrootcert=${var.authorities}"
}

output "settings" {
  description = "For control.settings: where that URL is, and not what it is."
  value       = { database = { file = "/run/secrets/control/database.url" } }
}

output "egress" {
  description = "For network_policy.control_egress."
  value = [{
    ports = [{ port = var.port, protocol = "TCP" }]
    to    = [for network in sort(var.networks) : { ipBlock = { cidr = network } }]
  }]
}
