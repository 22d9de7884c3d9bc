# SPDX-License-Identifier: Apache-2.0
import gc

gc.disable()  # before the application is loaded

wsgi_app = "shop:app"
preload_app = True
workers = 3


def when_ready(server):
    gc.freeze()  # all that is loaded; workers are forked next


def post_fork(server, worker):
    gc.enable()
