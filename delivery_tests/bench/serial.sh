#!/usr/bin/env bash
# The source design's workflow as one plain serial script: what most teams have today. One environment,
# no canary, no verdict: it ends when ECS says that the service is stable.
# Needs: REPO_URL GATES_IMAGE REGISTRY REPOSITORY STACK_DIR BACKEND VAR_FILE STATE_KEY PLUGIN_ARGS WORK SERVICE ENVIRONMENT
set -euo pipefail
cd "$WORK"
export DOCKER_CONFIG="$WORK/docker"

# checkout, lint, unit tests
git clone --quiet --depth 1 "$REPO_URL" checkout
sha=$(git -C checkout rev-parse HEAD)
docker run --rm --network none -v "$WORK/checkout:/src" -w /src "$GATES_IMAGE" ruff check --no-cache . >gates.log
docker run --rm --network none -v "$WORK/checkout:/src" -w /src "$GATES_IMAGE" pytest -q --cov >>gates.log

# build, log in, push
docker build --quiet -t "$REGISTRY/$REPOSITORY:serial-$sha" checkout >build.log
aws ecr get-login-password | docker login --username AWS --password-stdin "$REGISTRY" >>build.log 2>&1
docker push --quiet "$REGISTRY/$REPOSITORY:serial-$sha" >>build.log

# terraform init, plan, apply
cd "$STACK_DIR"
# shellcheck disable=SC2086
terraform init -input=false -reconfigure -backend-config="$BACKEND" -backend-config="key=$STATE_KEY" $PLUGIN_ARGS >"$WORK/tf.log"
terraform plan -input=false -var-file="$VAR_FILE" -var "service=$SERVICE" -var "environment=$ENVIRONMENT" -out="$WORK/tfplan" >>"$WORK/tf.log"
terraform apply -input=false "$WORK/tfplan" >>"$WORK/tf.log"
cd "$WORK"

# a new revision with the new image, and the service updated
live=$(aws ecs describe-services --cluster "$CLUSTER" --services "$ECS_SERVICE" --query 'services[0].taskDefinition' --output text)
aws ecs describe-task-definition --task-definition "$live" --query taskDefinition --output json >live.json
python3 - "$REGISTRY/$REPOSITORY:serial-$sha" <<'PY'
import json, sys
task = json.load(open("live.json"))
keep = ("family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "requiresCompatibilities", "cpu", "memory")
task = {k: task[k] for k in keep if k in task}
task["containerDefinitions"][0]["image"] = sys.argv[1]
json.dump(task, open("next.json", "w"))
PY
next=$(aws ecs register-task-definition --cli-input-json file://next.json --query taskDefinition.taskDefinitionArn --output text)
aws ecs update-service --cluster "$CLUSTER" --service "$ECS_SERVICE" --task-definition "$next" --force-new-deployment >update.json
aws ecs wait services-stable --cluster "$CLUSTER" --services "$ECS_SERVICE"
