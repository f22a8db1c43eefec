variable "name" {
  description = "The release's name."
  type        = string
  default     = "aegis"

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$", var.name))
    error_message = "name: 1 to 40 small letters, digits and hyphens."
  }
}

variable "namespace" {
  description = "Where the mesh runs; made here unless it is among existing_namespaces."
  type        = string
  default     = "mesh"
}

variable "existing_namespaces" {
  description = "Namespaces that somebody else makes and labels (output labels says how)."
  type        = set(string)
  default     = []
}

variable "surroundings_namespace" {
  description = "Where Helm remembers what it made around the mesh. It exists before the mesh's namespace does."
  type        = string
  default     = "default"
}

variable "install" {
  description = "Whether the chart is installed already. Its pods need their Secrets, and these the namespaces made here."
  type        = bool
  default     = true
}

variable "chart" {
  description = "The chart: a folder, an archive, or its address in a registry."
  type        = string
  default     = null
}

variable "timeout" {
  description = "Seconds until an installation that is not ready is taken back."
  type        = number
  default     = 600
}

variable "values" {
  description = "The arguments of modules/values, which types and checks each of them."
  type        = any
  default     = {}
  nullable    = false

  # An attribute that a type does not name is dropped without a word: of a misspelt restriction nothing would be left.
  validation {
    condition     = length(setsubtract(keys(var.values), keys(local.words))) == 0
    error_message = "values: nobody knows ${join(", ", setsubtract(keys(var.values), keys(local.words)))}."
  }
  validation {
    condition = alltrue([
      for part, words in var.values : length(try(local.words[part], {})) == 0 || try(length(setsubtract(keys(words), keys(local.words[part]))) == 0, words == null)
    ])
    error_message = "values: nobody knows ${join(", ", flatten([
      for part, words in var.values : [for word in try(keys(words), ["that"]) : "${part}.${word}" if !try(contains(keys(local.words[part]), word), true)]
    ]))}."
  }
  validation {
    condition = alltrue(flatten([
      for part, words in local.words : [
        for word, leaves in words : length(setsubtract(try(keys(var.values[part][word]), []), leaves)) == 0 if length(leaves) > 0
      ]
    ]))
    error_message = "values: nobody knows ${join(", ", flatten([
      for part, words in local.words : [
        for word, leaves in words : [for leaf in setsubtract(try(keys(var.values[part][word]), []), leaves) : "${part}.${word}.${leaf}"] if length(leaves) > 0
      ]
    ]))}."
  }
}

variable "redis" {
  description = "The arguments of modules/redis: a Redis that exists. null: values say where it is, or it is bundled."
  type = object({
    kind        = optional(string, "server")
    nodes       = list(string)
    service     = optional(string)
    tls         = optional(bool, true)
    authorities = optional(string)
    networks    = set(string)
  })
  default = null
}

variable "postgresql" {
  description = "The arguments of modules/postgresql: a PostgreSQL that exists. null: SQLite on the control plane's volume."
  type = object({
    host        = string
    port        = optional(number, 5432)
    database    = optional(string, "aegis")
    user        = optional(string, "aegis")
    verify      = optional(string, "verify-full")
    authorities = optional(string, "/etc/ssl/certs/ca-certificates.crt")
    networks    = set(string)
  })
  default = null
}

variable "secret_store" {
  description = "Where the External Secrets Operator finds the secrets. null: the Secrets are made by somebody else."
  type = object({
    name    = string
    kind    = optional(string, "ClusterSecretStore")
    prefix  = optional(string, "aegis-")
    refresh = optional(string, "1h")
  })
  default = null
}
