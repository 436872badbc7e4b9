output "location" {
  description = "Where days land: what --to takes."
  value       = "s3://${aws_s3_bucket.landing.id}"
}

output "released" {
  description = "Whether an image was released; until then the rules are disabled."
  value       = local.released
}

output "run" {
  description = "What it takes to start the task by hand, and to find its log."
  value = {
    cluster              = aws_ecs_cluster.main.name
    container            = local.container
    task_definition      = aws_ecs_task_definition.extract.arn
    image_repository_url = var.image_repository_url
    subnets              = aws_subnet.public[*].id
    security_groups      = [aws_security_group.task.id]
    log_group            = aws_cloudwatch_log_group.task.name
    digest_parameter     = aws_ssm_parameter.image_digest.name
    rules                = [for rule in aws_cloudwatch_event_rule.run : rule.name]
  }
}

output "task_policy" {
  description = "What the task may do, as its role has it: to be looked at, and tried out."
  value       = jsonencode(local.task_policy)
}

output "container_definition" {
  description = "The container, as its task definition has it."
  value       = jsonencode(local.container_definition)
}
