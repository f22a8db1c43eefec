variables {
  store    = { name = "vault" }
  mesh     = "mesh"
  sidecars = ["team"]
}

run "no_signing_key_leaves_the_mesh" {
  command = plan
  assert {
    condition     = [for object in output.manifests : object.metadata.namespace if object.metadata.name == "aegis-control"] == ["mesh"]
    error_message = "the control plane's keys are in one namespace"
  }
  assert {
    condition = toset([for object in output.manifests : object.metadata.name if object.metadata.namespace == "team"]) == toset([
      "aegis-authz", "aegis-opa", "aegis-certificates", "aegis-public",
    ])
    error_message = "a sidecar has what a gateway has"
  }
}

run "secrets_are_called_as_the_chart_calls_them" {
  command = plan
  variables {
    names         = { authz = "mine" }
    bundled_redis = true
  }
  assert {
    condition     = toset([for object in output.manifests : object.spec.target.name if object.metadata.namespace == "mesh"]) == toset(["mine", "aegis-control", "aegis-opa", "aegis-certificates", "aegis-public", "aegis-redis"])
    error_message = "names are those of values.secrets"
  }
  assert {
    condition     = toset([for object in output.manifests : object.spec.dataFrom[0].extract.key if object.metadata.name == "mine"]) == toset(["aegis-authz"])
    error_message = "the store's name is that of the folder"
  }
}

run "a_store_is_of_one_of_two_kinds" {
  command = plan
  variables {
    store = { name = "vault", kind = "Secret" }
  }
  expect_failures = [var.store]
}
