internal import FrameShare

// A camera that runs only while somebody looks.
extension LibcameraCapture {
    /// Captures whenever frames are wanted, until `stop` is raised. Meanwhile the camera is let go. What fails is told to those
    /// who wait, and tried again.
    func captureOnDemand(_ onDemand: OnDemand, until stop: StopSignal) throws(LibcameraCaptureError) {
        var gate = DemandGate(onDemand, publisher: publisher)
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
            do throws(LibcameraCaptureError) {
                try wakeUp()
                gate.started()
                if try run(&gate, until: stop) == .stopped { return }
                gate.stopped()
                sleep()
            } catch {
                sleep()
                guard case .camera(let failure) = error else { throw error }
                if gate.failed("\(failure)") { options.onEvent?(.troubled(failure)) }
            }
        }
    }
}
