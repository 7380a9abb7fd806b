internal import FrameShare
internal import Glibc

// A camera that runs only while somebody looks.
extension V4L2Capture {
    /// Streams whenever frames are wanted, until `stop` is raised. Meanwhile the device is closed. What fails is told to those
    /// who wait, and tried again.
    func streamOnDemand(_ onDemand: OnDemand, until stop: StopSignal) throws(V4L2CaptureError) {
        var gate = DemandGate(onDemand, publisher: publisher)
        guard let info = camera?.device.info else { return }
        sleep()
        while true {
            switch gate.waitUntilWanted(others: [stop.descriptor, attention.descriptor]) {
            case .idle:
                if publisher.closeIfUnused() { return }
                continue
            case .interrupted:
                if stop.isStopped { return }
                if publisher.hasEnded { throw .channel(.closed) }
                // A new set-up is for the next start.
                attention.clear()
                continue
            case .start: break
            }
            do throws(V4L2CaptureError) {
                try wakeUp(info)
                gate.started()
                switch try run(&gate, until: stop) {
                case .stopped: return
                case .unwanted: gate.stopped()
                case .reconfigure: gate.stopped()
                }
                sleep()
            } catch {
                sleep()
                guard case .camera(let failure) = error else { throw error }
                if case .sourceChanged = failure {
                    gate.stopped()
                    continue
                }
                if gate.failed("\(failure)") { options.onEvent?(.troubled(failure)) }
            }
        }
    }

    /// Opens the camera, as it was set up before or as is wanted now, and offers its buffers.
    private func wakeUp(_ info: V4L2DeviceInfo) throws(V4L2CaptureError) {
        let (wanted, before) = configurationsToStart()
        let camera: V4L2Camera
        do throws(V4L2Error) {
            camera = try Self.woken(info, wanted: wanted, before: before) { error in options.onEvent?(.refused(error)) }
        } catch {
            throw .camera(error)
        }
        take(camera)
        do throws(ChannelError) {
            try publisher.reconfigure(pool: camera.pool(stream: options.stream))
        } catch {
            throw .channel(error)
        }
    }

    private static func woken(
        _ info: V4L2DeviceInfo,
        wanted: V4L2CameraConfiguration?,
        before: V4L2CameraConfiguration,
        refused: (V4L2Error) -> Void
    ) throws(V4L2Error) -> V4L2Camera {
        func open() throws(V4L2Error) -> V4L2Device {
            // After it was plugged in again it may have another number.
            let device = try V4L2Device(path: V4L2Device.find(sameAs: info)?.path ?? info.path)
            // And another one may have its own.
            guard device.info.driver == info.driver, device.info.card == info.card, device.info.bus == info.bus else {
                throw .unplugged(path: info.path, card: info.card)
            }
            return device
        }
        if let wanted {
            do throws(V4L2Error) {
                return try setUp(wanted, open)
            } catch {
                if error.isUnplugged { throw error }
                refused(error)
            }
        }
        return try setUp(before, open)
    }

    /// The device for a question about its controls: the running camera's, or one that is opened for it alone.
    func deviceForControls() throws(V4L2Error) -> V4L2Device? {
        if let device = camera?.device { return device }
        guard options.onDemand != nil, let path = sleepingPath else { return nil }
        return try V4L2Device(path: path)
    }
}
