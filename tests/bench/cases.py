"""What is compared, by name, in the order in which it is measured and shown."""

from loads import Cpu, DokuWiki, Download, Hello, Kept, KeptShort, Laravel, Megabyte, Short, Upload
from situations import (Burst, Calls, ColdShort, ColdStart, Connect, Idle, Memory, Queue, Reload, Thousand,
                        Workers)

CASES = {case.name: case for case in (
    Hello, Kept, Cpu, DokuWiki, Laravel, Megabyte, Upload, Download, Burst, Idle, Reload, ColdStart,
    Calls, Memory, Workers, Queue, Connect, Thousand, Short, KeptShort,
    ColdShort)}
