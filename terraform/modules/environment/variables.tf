variable "name" {
  type        = string
  description = "Begins the name of everything that is made, such as ashore-dev."

  validation {
    condition     = can(regex("^ashore-[a-z][a-z0-9]{1,11}$", var.name))
    error_message = "name must be ashore- and 2 to 12 letters or digits, such as ashore-dev: the roles may touch nothing else."
  }
}

variable "bucket_name" {
  type        = string
  description = "The bucket that days land in; it is made here, and its name is unique in all of S3."

  validation {
    condition     = can(regex("^ashore-[a-z0-9-]{1,55}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be ashore- and up to 56 lower-case letters, digits and hyphens: the roles may touch no other bucket."
  }
}

variable "image_repository_url" {
  type        = string
  description = "The repository in ECR that images come from, without a tag: the bootstrap's output of this name."

  validation {
    condition     = can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9/_.-]+$", var.image_repository_url))
    error_message = "image_repository_url must be ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME, without a tag or digest."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "What no role of this environment may ever exceed: the bootstrap's output of this name."

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy."
  }
}

variable "sources" {
  type        = list(string)
  description = "Names of the catalog's sources to extract; each has an alarm for a day that is not complete."
  default     = ["world_bank"]

  validation {
    condition     = length(var.sources) > 0 && alltrue([for source in var.sources : can(regex("^[a-z][a-z0-9_]{0,59}$", source))])
    error_message = "sources must be at least one name as the catalog has it: a-z, then a-z, 0-9 or _."
  }
}

variable "source_keys" {
  type        = map(string)
  description = "For each environment variable that a source's key is read from: the ARN of its secret in Secrets Manager, or of its SecureString in SSM."
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.source_keys) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "source_keys must be named as environment variables, such as REST_COUNTRIES_API_KEY."
  }

  validation {
    condition     = alltrue([for arn in values(var.source_keys) : can(regex("^arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:|ssm:[a-z0-9-]+:[0-9]{12}:parameter/)ashore[^*]+$", arn))])
    error_message = "source_keys must be ARNs of secrets in Secrets Manager or of parameters in SSM whose names begin with ashore, without *: never the keys themselves."
  }
}

variable "run_at" {
  type        = string
  description = "When the day is extracted, as a cron expression of EventBridge (always UTC)."
  default     = "cron(0 1 * * ? *)"

  validation {
    condition     = can(regex("^cron\\([^ ()]+( [^ ()]+){5}\\)$", var.run_at))
    error_message = "run_at must be cron(...) with six fields, such as cron(0 1 * * ? *); the hours are UTC."
  }
}

variable "catch_up" {
  type        = string
  description = "When the same task is started again: on a complete day it sends no request. null: never."
  default     = "cron(0 2,4,8 * * ? *)"

  validation {
    condition     = var.catch_up == null || can(regex("^cron\\([^ ()]+( [^ ()]+){5}\\)$", var.catch_up))
    error_message = "catch_up must be cron(...) with six fields, such as cron(0 2,4,8 * * ? *), or null."
  }
}

variable "deadline" {
  type        = string
  description = "When a run ends, done or not; shorter than the time to the next one."
  default     = "50m"

  validation {
    condition     = can(regex("^[1-9][0-9]*[smh]$", var.deadline))
    error_message = "deadline must be a number and s, m or h, such as 50m."
  }
}

variable "cpu_units" {
  type        = number
  description = "Processor of the task: 256 units are a quarter of one."
  default     = 256

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.cpu_units)
    error_message = "cpu_units must be 256, 512, 1024, 2048 or 4096: Fargate has no other sizes."
  }
}

variable "memory_mib" {
  type        = number
  description = "Memory of the task in MiB; Fargate takes 2 to 8 times cpu_units, in whole GiB (256 units: also 512)."
  default     = 512

  validation {
    condition = var.memory_mib == 512 ? var.cpu_units == 256 : (
      var.memory_mib % 1024 == 0 && var.memory_mib >= 2 * var.cpu_units && var.memory_mib <= 8 * var.cpu_units
    )
    error_message = "memory_mib must be 2 to 8 times cpu_units and whole GiB (or 512 with 256 units)."
  }
}

variable "log_retention_days" {
  type        = number
  description = "How long logs are kept."
  default     = 90

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's: 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, ..."
  }
}

variable "cheaper_after_days" {
  type        = number
  description = "After how many days landed bodies of 128 KiB or more move to S3 Glacier Instant Retrieval; smaller ones stay, as moving them costs more than it saves."
  default     = 90

  validation {
    condition     = var.cheaper_after_days >= 1 && floor(var.cheaper_after_days) == var.cheaper_after_days
    error_message = "cheaper_after_days must be a whole number of days, at least 1."
  }
}

variable "alarm_emails" {
  type        = list(string)
  description = "Addresses that every alarm is sent to; each has to confirm once."

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alarm_emails must be addresses of mail."
  }
}

variable "network_cidr" {
  type        = string
  description = "The addresses of the environment's own network; nothing else is connected to it."
  default     = "10.60.0.0/24"

  validation {
    condition     = can(cidrsubnet(var.network_cidr, 2, 1)) && can(regex("/(1[6-9]|2[0-6])$", var.network_cidr))
    error_message = "network_cidr must be a network of /16 to /26, such as 10.60.0.0/24."
  }
}

variable "deletable" {
  type        = bool
  description = "Whether destroying the environment also deletes what landed. Only for environments that are tried out."
  default     = false
}
