variable "mesh" {
  description = "Where the gateways and the control plane run."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.mesh)) && !contains(["default", "kube-system", "kube-public", "kube-node-lease"], var.mesh)
    error_message = "mesh: the name of a namespace of its own, which keeps the keys of the mesh."
  }
}

variable "agents" {
  description = "Where agents run that use a shared gateway."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for name in var.agents : can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", name))])
    error_message = "agents: names of namespaces."
  }
  validation {
    condition     = length(setintersection(var.agents, setunion(var.sidecars, [var.mesh]))) == 0
    error_message = "agents: a namespace has the mesh, agents that share a gateway, or agents with sidecars, and not two of these."
  }
}

variable "sidecars" {
  description = "Where each pod has a gateway of its own."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = !contains(var.sidecars, var.mesh)
    error_message = "sidecars: the mesh has a namespace of its own; who may make pods there could read its keys."
  }
}

variable "existing" {
  description = "Those among them that somebody else makes, and labels."
  type        = set(string)
  default     = []
  nullable    = false
}

locals {
  restricted = {
    "pod-security.kubernetes.io/enforce" = "restricted"
    "pod-security.kubernetes.io/warn"    = "restricted"
  }

  labels = merge(
    { (var.mesh) = local.restricted },
    { for name in var.agents : name => local.restricted },
    # The init container of the packet filter's rules needs NET_ADMIN; the chart's own admission policy holds the rest.
    { for name in var.sidecars : name => { "pod-security.kubernetes.io/enforce" = "privileged", "aegis/inject" = "true" } },
  )
}

output "labels" {
  description = "The labels of each, those of others included."
  value       = local.labels
}

output "manifests" {
  description = "The namespaces to be made. They outlive the release: records are in their volumes."
  value = [
    for name, labels in local.labels : {
      apiVersion = "v1"
      kind       = "Namespace"
      metadata   = { name = name, labels = labels, annotations = { "helm.sh/resource-policy" = "keep" } }
    } if !contains(var.existing, name)
  ]
}
