"""dng_program.py FOLDER: saves one request's raw image as a DNG file, here and in a worker."""

import sys

import fake_libcamera

fake_libcamera.install()

import remote_jobs as jobs
from picamera2 import Picamera2

from frameshare.remote import Process

if __name__ == "__main__":
    picam2 = Picamera2()
    picam2.configure(picam2.create_still_configuration({"size": (128, 96)}, raw={}, buffer_count=2))
    picam2.start()
    with Process(jobs.dng, picam2) as process, picam2.captured_request() as request:
        request.save_dng(f"{sys.argv[1]}/own.dng")
        process.send(request, path=f"{sys.argv[1]}/workers.dng").result()
    picam2.stop()
    picam2.close()
