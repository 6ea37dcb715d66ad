"""A call in a thread of its own."""

import threading


class Background(threading.Thread):
    """Begins at once; result() waits for it and returns or raises what it did."""

    def __init__(self, function, *arguments, **options):
        super().__init__()
        self._call = lambda: function(*arguments, **options)
        self._value = self._error = None
        self.start()

    def run(self):
        try:
            self._value = self._call()
        except BaseException as error:  # handed over by result()
            self._error = error

    def result(self, timeout=30):
        self.join(timeout)
        if self.is_alive():
            raise AssertionError("still waiting")
        if self._error:
            raise self._error
        return self._value
