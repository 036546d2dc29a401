#!/usr/bin/env python3
# An independent peer: GStreamer's webrtcbin receives video. Reads the endpoint's offer from stdin, writes its answer to stdout,
# then "frames N" each time ten more frames were decoded. Arguments: codec (VP8 or H264).
import sys, gi
gi.require_version('Gst', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstSdp', '1.0')
from gi.repository import Gst, GstWebRTC, GstSdp, GLib

Gst.init(None)
loop = GLib.MainLoop()
pipeline = Gst.Pipeline.new()
peer = Gst.ElementFactory.make('webrtcbin')
peer.set_property('bundle-policy', GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
pipeline.add(peer)
frames = 0

def say(text):
    sys.stdout.write(text + '\n')
    sys.stdout.flush()

def on_buffer(pad, info):
    global frames
    frames += 1
    if frames % 10 == 0:
        say('frames %d' % frames)
    return Gst.PadProbeReturn.OK

def on_pad(element, pad):
    if pad.get_direction() != Gst.PadDirection.SRC:
        return
    decode = Gst.ElementFactory.make('decodebin')
    pipeline.add(decode)
    def on_decoded(_, source):
        sink = Gst.ElementFactory.make('fakesink')
        sink.set_property('sync', False)
        pipeline.add(sink)
        target = sink.get_static_pad('sink')
        target.add_probe(Gst.PadProbeType.BUFFER, on_buffer)
        sink.sync_state_with_parent()
        source.link(target)
    decode.connect('pad-added', on_decoded)
    decode.sync_state_with_parent()
    pad.link(decode.get_static_pad('sink'))

peer.connect('pad-added', on_pad)
offer_text = sys.stdin.read()

def on_gathering(element, _):
    if element.get_property('ice-gathering-state') == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        text = element.get_property('local-description').sdp.as_text()
        say('answer %d' % len(text.encode()))
        sys.stdout.write(text)
        sys.stdout.flush()

def on_answer(promise, _):
    promise.wait()
    reply = promise.get_reply()  # owns the answer
    answer = reply.get_value('answer')
    peer.emit('set-local-description', answer, Gst.Promise.new())

def on_offer_set(promise, _):
    promise.wait()
    for line in offer_text.replace('\r', '').split('\n'):
        if line.startswith('a=candidate:'):
            peer.emit('add-ice-candidate', 0, line[2:])
    peer.emit('create-answer', None, Gst.Promise.new_with_change_func(on_answer, None))

peer.connect('notify::ice-gathering-state', on_gathering)
pipeline.set_state(Gst.State.PLAYING)
_, message = GstSdp.SDPMessage.new_from_text(offer_text)
offer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
peer.emit('set-remote-description', offer, Gst.Promise.new_with_change_func(on_offer_set, None))
loop.run()
