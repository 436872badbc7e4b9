# Where days land. Nothing that runs here may delete from it; who may is said in docs/operations.md.

resource "aws_s3_bucket" "landing" {
  # checkov:skip=CKV_AWS_18:who reads and writes is known by role, and access logs would cost more than the data
  # checkov:skip=CKV_AWS_144:the data can be fetched again; copies elsewhere are the owner's choice
  # checkov:skip=CKV_AWS_145:encrypted with S3's own keys; a key of one's own costs more than all the rest
  # checkov:skip=CKV2_AWS_62:nothing waits for single objects; the manifest is what readers wait for
  bucket        = var.bucket_name
  force_destroy = var.deletable
}

resource "aws_s3_bucket_versioning" "landing" {
  bucket = aws_s3_bucket.landing.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "landing" {
  bucket = aws_s3_bucket.landing.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "landing" {
  bucket = aws_s3_bucket.landing.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "landing" {
  bucket = aws_s3_bucket.landing.id
  policy = jsonencode(local.tls_only)

  depends_on = [aws_s3_bucket_public_access_block.landing]
}

resource "aws_s3_bucket_lifecycle_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id

  # Versions are kept, for a while, for whoever deleted or replaced by mistake.
  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = "cheaper"
    status = "Enabled"
    filter {
      prefix = "raw/"
    }

    transition {
      days          = var.cheaper_after_days
      storage_class = "GLACIER_IR"
    }
  }

  # What a release lands to try itself out.
  rule {
    id     = "smoke"
    status = "Enabled"
    filter {
      prefix = "smoke/"
    }

    expiration {
      days = 14
    }
  }

  depends_on = [aws_s3_bucket_versioning.landing]
}

locals {
  tls_only = {
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyOverTls"
      Effect    = "Deny"
      Principal = "*"
      # A denial has to be as wide as it can: every action, on the bucket and on all that lies in it.
      Action   = "s3:*"
      Resource = [aws_s3_bucket.landing.arn, "${aws_s3_bucket.landing.arn}/*"]
      Condition = {
        Bool = { "aws:SecureTransport" = "false" }
      }
    }]
  }
}
