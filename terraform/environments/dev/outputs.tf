output "location" {
  description = "Where days land: what --to takes."
  value       = module.environment.location
}

output "released" {
  description = "Whether an image was released; until then the rules are disabled."
  value       = module.environment.released
}

output "task_policy" {
  description = "What the task may do."
  value       = module.environment.task_policy
}

output "container_definition" {
  description = "The container, as its task definition has it."
  value       = module.environment.container_definition
}
