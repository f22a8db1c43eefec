variable "kind" {
  description = "One server, one that Sentinels watch, or a cluster."
  type        = string
  default     = "server"

  validation {
    condition     = contains(["server", "sentinel", "cluster"], var.kind)
    error_message = "kind: server, sentinel or cluster."
  }
}

variable "nodes" {
  description = "Where it is, each as host:port: the server, the Sentinels, or some nodes of the cluster."
  type        = list(string)

  validation {
    condition     = length(var.nodes) > 0 && alltrue([for node in var.nodes : can(regex("^[A-Za-z0-9.-]+:[0-9]{1,5}$", node))])
    error_message = "nodes: each is host:port, without a scheme, a user or a password."
  }
  validation {
    condition     = var.kind != "server" || length(var.nodes) == 1
    error_message = "nodes: a server is one; several are a cluster or Sentinels."
  }
}

variable "service" {
  description = "The name by which Sentinels know the master."
  type        = string
  default     = null

  validation {
    condition     = (var.kind == "sentinel") == (var.service != null)
    error_message = "service: the master's name, for Sentinels and for nothing else."
  }
}

variable "tls" {
  description = "Speak TLS. Behind Sentinels it is said in redis.url's place in words (docs/deployment.md)."
  type        = bool
  default     = true

  validation {
    condition     = !(var.tls && var.kind == "sentinel")
    error_message = "tls: an URL of Sentinels has no TLS; say tls = false."
  }
}

variable "authorities" {
  description = "A file in the pods of the authorities of its certificate; null is the system's."
  type        = string
  default     = null

  validation {
    condition     = var.authorities == null ? true : var.tls && startswith(var.authorities, "/")
    error_message = "authorities: an absolute path, with tls."
  }
}

variable "networks" {
  description = "CIDR blocks of all its nodes, which pods of the mesh may reach."
  type        = set(string)

  validation {
    condition = length(var.networks) > 0 && alltrue([
      for network in var.networks : can(cidrhost(network, 0)) && !can(regex("/0$", network))
    ])
    error_message = "networks: CIDR blocks, and not all there are."
  }
}

locals {
  scheme = { server = var.tls ? "rediss" : "redis", sentinel = "sentinel", cluster = var.tls ? "clusters" : "cluster" }[var.kind]
  path   = { server = "/0", sentinel = var.service == null ? "" : "/${var.service}", cluster = "" }[var.kind]
  query  = var.authorities == null ? "" : "?ssl_ca_certs=${var.authorities}"
}

output "url" {
  description = "For `aegis init --redis`, which puts user and password into it. It holds no secret."
  value       = "${local.scheme}://${join(",", var.nodes)}${local.path}${local.query}"
}

output "peers" {
  description = "For network_policy.redis."
  value       = [for network in sort(var.networks) : { ipBlock = { cidr = network } }]
}
