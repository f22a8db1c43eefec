# Every word that modules/values takes: its parts, their words, and what these have.

locals {
  place = ["size", "class_name"]
  words = {
    images             = {}
    image_pull_secrets = {}
    secrets            = {}
    environment        = {}
    region             = {}
    control = {
      enabled   = [], replicas = [], url = [], public_url = [], settings = [], resources = []
      documents = ["policies", "tools"], storage = local.place, tls = ["secret"]
    }
    gateway = {
      enabled     = [], replicas = [], workers = [], https = [], drain_ms = [], tools = [], resources = []
      identity    = [], tls = ["secret", "client_ca"], evaluation = ["secret", "url"]
      storage     = local.place, service = ["type", "annotations"]
      autoscaling = ["enabled", "min_replicas", "max_replicas", "cpu", "metric"]
    }
    sidecar = {
      enabled    = [], token_endpoint = [], audience = [], workers = [], https = [], drain_ms = [], tools = []
      namespaces = [], resources = [], records = ["claim", "loss"]
      webhook    = ["secret", "ca_bundle", "cert_manager", "replicas"]
    }
    redis = { bundled = [], storage = local.place, resources = [] }
    network_policy = {
      enabled    = [], agents = [], tools = [], redis = [], operators = [], metrics = [], control_egress = []
      api_server = []
    }
    monitoring = { enabled = [], labels = [], interval = [], control = ["secret", "key"], dashboards = ["enabled", "labels"] }
  }
}
