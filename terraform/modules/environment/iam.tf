# Who may do what. Three roles: the task's own, the one that starts it inside ECS, and the rules'.

resource "aws_iam_role" "task" {
  name                 = "${var.name}-task"
  description          = "What ashore itself may do: create and read objects, list its prefixes, delete nothing"
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [local.trust.task] })
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "task" {
  name   = "land"
  role   = aws_iam_role.task.id
  policy = jsonencode(local.task_policy)
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  description          = "What ECS may do to start the task: pull its image, write its log, read the keys of its sources"
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [local.trust.execution] })
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = jsonencode(local.execution_policy)
}

resource "aws_iam_role" "schedule" {
  name                 = "${var.name}-schedule"
  description          = "What the rules may do: start this task in this cluster"
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [local.trust.schedule] })
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "schedule" {
  name   = "run"
  role   = aws_iam_role.schedule.id
  policy = jsonencode(local.schedule_policy)
}

locals {
  here = { StringEquals = { "aws:SourceAccount" = local.account_id } }

  trust = {
    # Nobody else's task may borrow the role.
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
    task      = merge(local.lent.ecs-tasks, { Condition = local.here })
    execution = local.lent.ecs-tasks
    schedule  = local.lent.events
  }

  lent = {
    for service in ["ecs-tasks", "events"] : service => {
      Effect    = "Allow"
      Principal = { Service = "${service}.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }
  }

  bucket_arn = aws_s3_bucket.landing.arn
  # What a release lands to try itself out lies apart, and is laid out alike.
  homes = ["", "smoke/*/"]

  task_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # Bodies and statements are created and never replaced: without If-None-Match S3 refuses.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
        Sid    = "CreateAndNeverReplace"
        Effect = "Allow"
        Action = ["s3:PutObject"]
        Resource = flatten([for home in local.homes : [
          "${local.bucket_arn}/${home}raw/*", "${local.bucket_arn}/${home}manifests/*",
        ]])
        Condition = { Null = { "s3:if-none-match" = "false" } }
      },
      {
        # A budget is replaced, by comparing and swapping.
        Sid      = "KeepBudgets"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = [for home in local.homes : "${local.bucket_arn}/${home}state/*"]
      },
      {
        # To resume, to compare with earlier days, to recognise what a lost answer left.
        Sid    = "Read"
        Effect = "Allow"
        Action = ["s3:GetObject"]
        Resource = flatten([for home in local.homes : [
          for below in ["raw", "manifests", "state"] : "${local.bucket_arn}/${home}${below}/*"
        ]])
      },
      {
        # Without it S3 also answers 403 instead of 404 where nothing lies yet; that question names no prefix, hence
        # IfExists. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        Sid      = "List"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.bucket_arn]
        Condition = {
          StringLikeIfExists = {
            "s3:prefix" = flatten([for home in local.homes : [
              for below in ["raw", "manifests", "state"] : "${home}${below}/*"
            ]])
          }
        }
      },
    ]
  }

  keys_by_service = {
    for service in ["secretsmanager", "ssm"] : service => [
      for arn in values(var.source_keys) : arn if split(":", arn)[2] == service
    ]
  }

  execution_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid    = "PullTheImage"
          Effect = "Allow"
          Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = [format(
            "arn:%s:ecr:%s:%s:repository/%s", local.partition, split(".", var.image_repository_url)[3],
            split(".", var.image_repository_url)[0], regex("/(.+)$", var.image_repository_url)[0],
          )]
        },
        {
          # A token is of the account, not of a repository: ECR takes no narrower resource.
          # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
          Sid      = "LogInToTheRegistry"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = ["*"]
        },
        {
          Sid      = "WriteTheLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.task.arn}:log-stream:run/*"]
        },
      ],
      length(local.keys_by_service.secretsmanager) == 0 ? [] : [{
        Sid      = "ReadKeysInSecretsManager"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = local.keys_by_service.secretsmanager
      }],
      length(local.keys_by_service.ssm) == 0 ? [] : [{
        Sid      = "ReadKeysInSsm"
        Effect   = "Allow"
        Action   = ["ssm:GetParameters"]
        Resource = local.keys_by_service.ssm
      }],
    )
  }

  schedule_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "StartTheTask"
        Effect    = "Allow"
        Action    = ["ecs:RunTask"]
        Resource  = ["${aws_ecs_task_definition.extract.arn_without_revision}:*"]
        Condition = { ArnEquals = { "ecs:cluster" = aws_ecs_cluster.main.arn } }
      },
      {
        # Tags of the definition are handed on to the task.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/CWE_IAM_role.html
        Sid       = "TagTheTask"
        Effect    = "Allow"
        Action    = ["ecs:TagResource"]
        Resource  = ["arn:${local.partition}:ecs:${local.region}:${local.account_id}:task/${aws_ecs_cluster.main.name}/*"]
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      },
      {
        Sid       = "HandOverTheRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [aws_iam_role.task.arn, aws_iam_role.execution.arn]
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  }
}
