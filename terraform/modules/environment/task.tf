# What runs: one container, for some minutes a day, on Fargate.

# The image that was released last. Terraform makes the parameter, and a release sets it: so that applying
# this again never undoes a release.
resource "aws_ssm_parameter" "image_digest" {
  # checkov:skip=CKV2_AWS_34:a digest is no secret; it is read in plans
  name           = "/${var.name}/image-digest"
  description    = "Digest of the image that was released last; none before the first release."
  type           = "String"
  insecure_value = "none"

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

locals {
  released = aws_ssm_parameter.image_digest.insecure_value != "none"
  # No image has this digest: before the first release the rules are disabled besides.
  digest = local.released ? aws_ssm_parameter.image_digest.insecure_value : "sha256:${join("", [for _ in range(64) : "0"])}"
}

resource "aws_cloudwatch_log_group" "task" {
  # checkov:skip=CKV_AWS_158:the log holds no secret (docs/security.md), and a key of one's own costs more than all the rest
  # checkov:skip=CKV_AWS_338:as long as log_retention_days says; a day is proved by its manifest, not by its log
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_ecs_cluster" "main" {
  # checkov:skip=CKV_AWS_65:the program tells its own figures; container insights would cost more than the task
  name = var.name
}

resource "aws_ecs_task_definition" "extract" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu_units
  memory                   = var.memory_mib
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  container_definitions    = jsonencode([local.container_definition])

  # Pages of a set wait here for each other. Fargate makes a volume writable for whom the image says.
  volume {
    name = "temporary"
  }

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }

  # The rules point at the new revision before the old one is retired: there is no moment without a task.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  container_definition = {
    name      = local.container
    image     = "${var.image_repository_url}@${local.digest}"
    essential = true
    memory    = var.memory_mib
    command   = concat(["extract"], var.sources)
    user      = "${local.user}:${local.user}"
    environment = [
      { name = "ASHORE_TO", value = "s3://${aws_s3_bucket.landing.id}" },
      { name = "ASHORE_DEADLINE", value = var.deadline },
      { name = "ASHORE_METRICS_NAMESPACE", value = local.namespace },
      { name = "TMPDIR", value = "/tmp" },
    ]
    secrets                = [for name, arn in var.source_keys : { name = name, valueFrom = arn }]
    readonlyRootFilesystem = true
    linuxParameters = {
      capabilities = { drop = ["ALL"] }
    }
    mountPoints = [{ sourceVolume = "temporary", containerPath = "/tmp", readOnly = false }]
    # Fargate's longest; the program ends within 20 s of SIGTERM.
    stopTimeout = 120
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.task.name
        awslogs-region        = local.region
        awslogs-stream-prefix = "run"
      }
    }
  }
}
