"""A camera's requests handed to worker processes: a drop-in for ``picamera2.remote``, over FrameShare's workers.

>>> from frameshare.remote import Pool, RemoteMappedArray      # was: from picamera2.remote import ...
>>> def run(request):
...     with RemoteMappedArray(request, "main") as m:
...         return m.array.mean()
>>> with Pool(run, 4, picam2) as pool:
...     future = pool.send(request)
...     request.release()
...     print(future.result())

Names, signatures and what they return are picamera2's. What differs:

- The processes import the program: ``run`` and ``init`` are functions of a module, and a program guards what it does by
  ``if __name__ == "__main__":``. With cloudpickle installed, lambdas and functions within functions are carried too.
- A worker that dies is replaced. Its frame's Future fails at once; those that waited for it go to others. A worker that
  is at one frame for longer than ``timeout`` is killed.
- An exception in ``run`` is the Future's, and the worker goes on. One that nobody asks the Future for is logged.
- Requests go back to the camera in any order, each as soon as its worker has done with it, and never before.
- What a worker writes to an array is its own: no other reader sees it, nor does the camera's buffer change. All of
  picamera2's formats have the shapes that ``request.make_array()`` gives locally.
- Requests that wait when the camera is configured anew are worked on all the same, and any request that is held can be sent.
- ``Picamera2Proxy`` is a process that takes its frames by itself.
- ``request.frame`` has sequence, timestamps and losses, and whatever else a ``frameshare.Frame`` has.
"""

from .pool import Pool, Process, RemoteTraceback
from .proxy import Picamera2Proxy
from .request import RemoteMappedArray, RemoteRequest

__all__ = ["Picamera2Proxy", "Pool", "Process", "RemoteMappedArray", "RemoteRequest", "RemoteTraceback"]
