# References alone: what the Secrets hold is in the store, and never in a plan, a state or a release.

variable "store" {
  description = "A store of the External Secrets Operator that exists."
  type = object({
    name = string
    kind = optional(string, "ClusterSecretStore")
  })

  validation {
    condition     = contains(["ClusterSecretStore", "SecretStore"], var.store.kind) && var.store.name != ""
    error_message = "store: a ClusterSecretStore or a SecretStore, by its name."
  }
}

variable "prefix" {
  description = "What the names in the store begin with: PREFIXcontrol, PREFIXauthz and so on, each a JSON object of files."
  type        = string
  default     = "aegis-"
}

variable "refresh" {
  description = "How often the store is asked."
  type        = string
  default     = "1h"

  validation {
    condition     = can(regex("^[1-9][0-9]*(s|m|h)$", var.refresh))
    error_message = "refresh: as 1h."
  }
}

variable "names" {
  description = "Names of the Secrets, where they are not aegis-FOLDER."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "mesh" {
  description = "The namespace of the mesh."
  type        = string
}

variable "sidecars" {
  description = "Namespaces whose pods have a gateway of their own."
  type        = set(string)
  default     = []
  nullable    = false
}

variable "bundled_redis" {
  description = "Whether the mesh runs its own Redis, which has a list of users."
  type        = bool
  default     = false
}

locals {
  gateway = ["authz", "opa", "certificates", "public"]
  folders = merge(
    { (var.mesh) = concat(local.gateway, ["control"], var.bundled_redis ? ["redis"] : []) },
    # No key that signs tokens, approvals or bundles leaves the mesh's own namespace.
    { for name in var.sidecars : name => local.gateway },
  )
}

output "manifests" {
  description = "An ExternalSecret for each Secret."
  value = flatten([
    for namespace, folders in local.folders : [
      for folder in folders : {
        apiVersion = "external-secrets.io/v1"
        kind       = "ExternalSecret"
        metadata   = { name = lookup(var.names, folder, "aegis-${folder}"), namespace = namespace }
        spec = {
          refreshInterval = var.refresh
          secretStoreRef  = { name = var.store.name, kind = var.store.kind }
          target          = { name = lookup(var.names, folder, "aegis-${folder}"), creationPolicy = "Owner" }
          dataFrom        = [{ extract = { key = "${var.prefix}${folder}" } }]
        }
      }
    ]
  ])
}
