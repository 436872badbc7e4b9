# Where images lie, of every environment: one is built once, tried in one environment, and released in the next.

resource "aws_ecr_repository" "ashore" {
  # checkov:skip=CKV_AWS_136:encrypted with ECR's own keys; the image holds no secret
  name                 = "ashore"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "ashore" {
  repository = aws_ecr_repository.ashore.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the newest images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.images_kept }
      action       = { type = "expire" }
    }]
  })
}

resource "aws_ecr_repository_policy" "pulling" {
  count = length(var.pulling_account_ids) == 0 ? 0 : 1

  repository = aws_ecr_repository.ashore.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OtherAccountsMayPull"
      Effect    = "Allow"
      Principal = { AWS = [for id in var.pulling_account_ids : "arn:${local.partition}:iam::${id}:root"] }
      Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    }]
  })
}
