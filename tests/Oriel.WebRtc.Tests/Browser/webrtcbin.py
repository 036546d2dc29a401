#!/usr/bin/env python3
# An independent peer: GStreamer's webrtcbin receives video, and says "frames N" each time ten more frames were decoded.
#   webrtcbin.py                       reads an offer from stdin and writes "answer LENGTH" and its answer to stdout
#   webrtcbin.py offer POLICY KIND...  writes "offer LENGTH" and an offer of these sections (video, audio, data), and reads the answer
#                                      from stdin; ends if there is none
import sys, threading, gi
gi.require_version('Gst', '1.0')
gi.require_version('GstWebRTC', '1.0')
gi.require_version('GstSdp', '1.0')
from gi.repository import Gst, GstWebRTC, GstSdp, GLib

Gst.init(None)
loop = GLib.MainLoop()
pipeline = Gst.Pipeline.new()
peer = Gst.ElementFactory.make('webrtcbin')
offers = sys.argv[1:2] == ['offer']
policy = sys.argv[2] if offers else 'max-bundle'
peer.set_property('bundle-policy', getattr(GstWebRTC.WebRTCBundlePolicy, policy.upper().replace('-', '_')))
pipeline.add(peer)
frames = 0

def say(text):
    sys.stdout.write(text + '\n')
    sys.stdout.flush()

def describe(word, text):
    say('%s %d' % (word, len(text.encode())))
    sys.stdout.write(text)
    sys.stdout.flush()

def description(kind, text):
    _, message = GstSdp.SDPMessage.new_from_text(text)
    return GstWebRTC.WebRTCSessionDescription.new(kind, message)

def add_candidates(text):
    section = -1
    for line in text.replace('\r', '').split('\n'):
        if line.startswith('m='):
            section += 1
        elif line.startswith('a=candidate:'):
            peer.emit('add-ice-candidate', section, line[2:])

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

# Answering

def on_gathering(element, _):
    if element.get_property('ice-gathering-state') == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
        describe('answer', element.get_property('local-description').sdp.as_text())

def on_answer(promise, _):
    promise.wait()
    reply = promise.get_reply()  # owns the answer
    answer = reply.get_value('answer')
    peer.emit('set-local-description', answer, Gst.Promise.new())

def on_offer_set(promise, text):
    promise.wait()
    add_candidates(text)
    peer.emit('create-answer', None, Gst.Promise.new_with_change_func(on_answer, None))

def answer_offer():
    text = sys.stdin.read()
    peer.connect('notify::ice-gathering-state', on_gathering)
    offer = description(GstWebRTC.WebRTCSDPType.OFFER, text)
    peer.emit('set-remote-description', offer, Gst.Promise.new_with_change_func(on_offer_set, text))

# Offering

CAPS = {
    'video': 'application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000; '
             'application/x-rtp,media=video,encoding-name=H264,payload=102,clock-rate=90000,packetization-mode=(string)1',
    'audio': 'application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2',
}

def take_answer():
    text = sys.stdin.read()
    if not text:
        loop.quit()
        return
    peer.emit('set-remote-description', description(GstWebRTC.WebRTCSDPType.ANSWER, text), Gst.Promise.new())
    add_candidates(text)

def on_offer(promise, _):
    promise.wait()
    reply = promise.get_reply()  # owns the offer
    offer = reply.get_value('offer')
    peer.emit('set-local-description', offer, Gst.Promise.new())
    describe('offer', offer.sdp.as_text())
    threading.Thread(target=take_answer).start()

def make_offer(kinds):
    for kind in kinds:
        if kind == 'data':
            peer.emit('create-data-channel', 'control', None)
        else:
            peer.emit('add-transceiver', GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(CAPS[kind]))
    peer.emit('create-offer', None, Gst.Promise.new_with_change_func(on_offer, None))

peer.connect('pad-added', on_pad)
pipeline.set_state(Gst.State.PLAYING)
if offers:
    make_offer(sys.argv[3:])
else:
    answer_offer()
loop.run()
