# SPDX-License-Identifier: Apache-2.0
"""A real redis-server on a socket of its own, and what tests ask of it."""
import os
import pathlib
import random

import redis

KEYS = 200_000
VALUE = 100  # bytes
SAVE_DELAY = -2  # a moment's sleep every so many keys: the save takes as long as one of a larger database would, and longer than the writes


class RedisServer:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "redis.sock"
        self.client = redis.Redis(unix_socket_path=str(self.path))

    @property
    def command(self):
        return ["redis-server", "--save", "", "--appendonly", "no", "--port", "0", "--unixsocket", str(self.path), "--dir", str(self.directory),
                "--rdb-key-save-delay", str(SAVE_DELAY), "--enable-debug-command", "local", "--logfile", str(self.directory / "redis.log")]

    def answers(self):
        """Its pid, once it answers."""
        if not self.path.exists():
            return None
        try:
            return self.client.info("server")["process_id"]
        except redis.exceptions.RedisError:
            return None

    def populate(self):
        self.client.execute_command("DEBUG", "POPULATE", KEYS, "key", VALUE)

    def persistence(self):
        return self.client.info("persistence")

    def write(self, keys):
        pipeline = self.client.pipeline(transaction=False)
        for number in random.Random(1).sample(range(KEYS), keys):
            pipeline.set(f"key:{number}", os.urandom(VALUE // 2).hex())
        pipeline.execute()

    def save_under_writes(self, keys):
        """BGSAVE; while it runs this many keys, chosen evenly, are given another value."""
        self.client.bgsave()
        self.write(keys)
        if not self.persistence()["rdb_bgsave_in_progress"]:
            raise AssertionError("the save was over before the writes")

    def saved(self):
        """What INFO says of persistence, once no save runs."""
        said = self.persistence()
        return said if not said["rdb_bgsave_in_progress"] else None

    def shutdown(self):
        try:
            self.client.shutdown(nosave=True)
        except redis.exceptions.ConnectionError:
            pass
        self.client.close()
