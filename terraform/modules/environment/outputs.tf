output "location" {
  description = "Where days land: what --to takes."
  value       = "s3://${aws_s3_bucket.landing.id}"
}

output "released" {
  description = "Whether an image was released; until then the rules are disabled."
  value       = local.released
}

output "task_policy" {
  description = "What the task may do, as its role has it: to be looked at, and tried out."
  value       = jsonencode(local.task_policy)
}

output "container_definition" {
  description = "The container, as its task definition has it."
  value       = jsonencode(local.container_definition)
}
