# A network of its own, with nothing in it but the task while it runs: out over HTTPS, and in by
# nobody. Public subnets with a public address cost least; S3 and the images' layers come through the
# gateway endpoint, which is free.

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394:the first two by name are taken; a new zone comes after them
  state = "available"
}

resource "aws_vpc" "main" {
  # checkov:skip=CKV2_AWS_11:one task, an hour a day, that answers to nobody; flow logs would cost more than it does
  # checkov:skip=CKV2_AWS_12:AWS makes a default group without a tag, which GitHub's role may not change; nothing is in it
  cidr_block           = var.network_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  count = 2

  vpc_id            = aws_vpc.main.id
  availability_zone = data.aws_availability_zones.available.names[count.index]
  cidr_block        = cidrsubnet(var.network_cidr, 2, count.index)

  tags = { Name = "${var.name}-public-${count.index}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }

  tags = { Name = "${var.name}-public" }
}

resource "aws_route_table_association" "public" {
  count = length(aws_subnet.public)

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.public.id]
  policy            = jsonencode(local.through_the_gateway)

  tags = { Name = "${var.name}-s3" }
}

resource "aws_security_group" "task" {
  # checkov:skip=CKV2_AWS_5:the task is started with it, by the rules' targets and by scripts/
  name        = "${var.name}-task"
  description = "The task: out over HTTPS, in by nobody"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${var.name}-task" }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.task.id
  description       = "HTTPS to the APIs and to AWS, whose addresses change"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

locals {
  through_the_gateway = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "LandedDays"
        Effect    = "Allow"
        Principal = "*" # whoever comes through the gateway; what each may do is said by its role
        Action    = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
        Resource  = [aws_s3_bucket.landing.arn, "${aws_s3_bucket.landing.arn}/*"]
      },
      {
        # ECR keeps the layers of images in a bucket of AWS's own:
        # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
        Sid       = "LayersOfImages"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject"]
        Resource  = ["arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"]
      },
    ]
  }
}
