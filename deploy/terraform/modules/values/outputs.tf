output "values" {
  description = "What the chart is given."
  value       = local.values
}

output "yaml" {
  description = "The same as a file of values."
  value       = yamlencode(local.values)
}
