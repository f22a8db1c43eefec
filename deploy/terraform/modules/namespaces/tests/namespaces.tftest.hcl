variables {
  mesh     = "mesh"
  agents   = ["shop", "desk"]
  sidecars = ["team"]
  existing = ["shop"]
}

run "pods_are_restricted_but_where_sidecars_need_their_rules" {
  command = plan
  assert {
    condition     = [for name in ["mesh", "shop", "desk", "team"] : output.labels[name]["pod-security.kubernetes.io/enforce"]] == ["restricted", "restricted", "restricted", "privileged"]
    error_message = "only namespaces with sidecars are privileged"
  }
  assert {
    condition     = [for name, labels in output.labels : name if contains(keys(labels), "aegis/inject")] == ["team"]
    error_message = "only namespaces with sidecars are injected"
  }
}

run "what_exists_is_not_made_and_what_is_made_is_kept" {
  command = plan
  assert {
    condition     = [for object in output.manifests : object.metadata.name] == ["desk", "mesh", "team"]
    error_message = "existing namespaces are left alone"
  }
  assert {
    condition     = alltrue([for object in output.manifests : object.metadata.annotations["helm.sh/resource-policy"] == "keep"])
    error_message = "records outlive the release"
  }
}

run "agents_do_not_live_among_the_keys" {
  command = plan
  variables {
    agents = ["mesh"]
  }
  expect_failures = [var.agents]
}

run "sidecars_do_not_live_among_the_keys" {
  command = plan
  variables {
    sidecars = ["mesh"]
  }
  expect_failures = [var.sidecars]
}

run "the_mesh_has_a_namespace_of_its_own" {
  command = plan
  variables {
    mesh = "kube-system"
  }
  expect_failures = [var.mesh]
}
