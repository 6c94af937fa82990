"""LocalStack in host mode, where no container can be run: Lambdas as processes of the machine's Node, and DynamoDB Local on the machine's Java."""

import os
import subprocess
from pathlib import Path

from localstack import config
from localstack.runtime import hooks
from localstack.services.lambda_.invocation.executor_endpoint import ExecutorEndpoint
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor
from localstack.utils.net import get_free_tcp_port

RUNTIME = os.environ.get("CORACLE_LAMBDA_RUNTIME", "")
HOST = "127.0.0.1"


class ProcessRuntimeExecutor(RuntimeExecutor):
    def __init__(self, id, function_version):
        super().__init__(id, function_version)
        self.port = get_free_tcp_port()
        self.endpoint = ExecutorEndpoint(id, container_address=HOST, container_port=self.port)
        self.process = None

    def start(self, env_vars):
        self.endpoint.start()
        code = str(self.function_version.config.code.get_unzipped_code_location())
        environment = {key: os.environ[key] for key in ("PATH", "HOME", "NODE_OPTIONS", "CORACLE_NODE_VERSION") if key in os.environ}
        environment.update({key: str(value) for key, value in env_vars.items()})
        environment.update(LAMBDA_TASK_ROOT=code, CORACLE_INVOKE_PORT=str(self.port))
        self.process = subprocess.Popen(["node", RUNTIME], cwd=code, env=environment)
        self.endpoint.wait_for_startup()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.endpoint.shutdown()

    def get_address(self):
        return HOST

    def get_endpoint_from_executor(self):
        return HOST

    def get_runtime_endpoint(self):
        return f"http://{HOST}:{config.GATEWAY_LISTEN[0].port}{self.endpoint.get_endpoint_prefix()}"

    def invoke(self, payload):
        return self.endpoint.invoke(payload)

    def get_logs(self):
        return ""

    @classmethod
    def prepare_version(cls, function_version):
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass

    @classmethod
    def validate_environment(cls):
        return Path(RUNTIME).is_file()


class ProcessRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    name = "process"

    def load(self, *args, **kwargs):
        return ProcessRuntimeExecutor


@hooks.on_infra_start()
def use_dynamodb_local_that_is_there():
    """LocalStack would download it, a Java, and an agent that lifts a limit on indices."""
    from localstack.services.dynamodb.packages import DynamoDBLocalPackageInstaller as Installer
    from localstack.services.dynamodb.server import DynamodbServer

    Installer.install = lambda self, *_: None
    Installer.get_installed_dir = lambda self: os.environ["CORACLE_DYNAMODB_LOCAL"]
    Installer.get_java_env_vars = lambda self: {}
    command = DynamodbServer._create_shell_command
    DynamodbServer._create_shell_command = lambda self: [word for word in command(self) if not word.startswith("-javaagent:")]
