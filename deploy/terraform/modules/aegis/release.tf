terraform {
  required_version = ">= 1.9"

  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.0"
    }
  }
}

resource "helm_release" "surroundings" {
  name      = "${var.name}-surroundings"
  namespace = var.surroundings_namespace
  chart     = "${path.module}/surroundings"
  values    = [yamlencode({ manifests = local.surroundings })]
}

resource "helm_release" "aegis" {
  count     = var.install ? 1 : 0
  name      = var.name
  namespace = var.namespace
  chart     = coalesce(var.chart, "${path.module}/../../../helm/aegis")
  values    = [module.values.yaml]
  atomic    = true
  timeout   = var.timeout

  depends_on = [helm_release.surroundings]
}
