using System.Globalization;
using System.Text;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Sdp;

/// <summary>What this side says about itself in every description.</summary>
internal sealed record LocalDescription(
    ulong SessionId,
    IceCredentials Ice,
    string Fingerprint,
    IReadOnlyList<string> Candidates,
    uint Ssrc,
    uint RtxSsrc,
    int MaxMessageSize
);

/// <summary>Writes this side's offers, answers and fragments.</summary>
internal static class SdpWriter
{
    private const string Stream = "oriel";
    private const string Track = "screen";
    private const string H264Format = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
    private const ushort SctpPort = 5000;

    /// <summary>
    /// Answers the offer section by section. A refused section has port 0, or is inactive if it is the bundle's tagged section.
    /// </summary>
    public static string Answer(LocalDescription local, SdpDocument offer, Negotiated agreed)
    {
        var group = SdpNegotiator.BundleOf(offer);
        var bundled = offer.Media.Where(m => IsTaken(m, agreed)).Select(m => m.Mid).ToHashSet();
        var tagged = bundled.Overlaps(group) ? SdpNegotiator.TaggedOf(offer) : null;
        if (tagged is not null)
        {
            bundled.Add(tagged.Mid);
        }

        var text = new StringBuilder();
        Session(text, local, [.. group.Where(bundled.Contains).Distinct()]);
        var transport = tagged ?? offer.Media.First(m => IsTaken(m, agreed));
        foreach (var media in offer.Media)
        {
            var withCandidates = media == transport;
            if (!IsTaken(media, agreed))
            {
                if (media == tagged)
                {
                    // Refusing it would refuse the whole bundle: the others share its transport (RFC 9143 section 7.3.3).
                    Inactive(text, local, media);
                    continue;
                }

                // Its transport is of no use, but GStreamer's webrtcbin (1.22) takes no answer with a section that has none.
                Line(text, $"m={media.Kind} 0 {media.Protocol} {string.Join(' ', media.Formats)}");
                Transport(text, local, media.Mid, "passive", false);
                Line(text, "a=inactive");
                continue;
            }

            if (SdpNegotiator.IsVideo(media))
            {
                Video(text, local, [agreed.Video!], "passive", withCandidates, media.Protocol);
            }
            else
            {
                Data(text, local, media.Mid, "passive", withCandidates, media.Protocol);
            }
        }

        return text.ToString();
    }

    /// <summary>Offers video in the given codecs, in order of preference, and data channels.</summary>
    public static string Offer(LocalDescription local, IReadOnlyList<VideoCodec> codecs)
    {
        var text = new StringBuilder();
        Session(text, local, ["0", "1"]);
        Video(text, local, [.. codecs.Select(Offered)], "actpass", true, "UDP/TLS/RTP/SAVPF");
        Data(text, local, "1", "actpass", false, "UDP/DTLS/SCTP");
        return text.ToString();
    }

    /// <summary>New credentials and the candidates, for a PATCH (RFC 8840 section 9).</summary>
    /// <param name="transport">The one section that it names.</param>
    public static string Fragment(LocalDescription local, SdpMedia transport)
    {
        var text = new StringBuilder();
        Ice(text);
        Line(text, $"a=ice-ufrag:{local.Ice.Ufrag}");
        Line(text, $"a=ice-pwd:{local.Ice.Password}");
        Line(text, $"m={transport.Kind} 9 {transport.Protocol} 0");
        Mid(text, transport.Mid);
        foreach (var candidate in local.Candidates)
        {
            Line(text, "a=" + candidate);
        }

        Line(text, "a=end-of-candidates");
        return text.ToString();
    }

    private static bool IsTaken(SdpMedia media, Negotiated agreed) =>
        (SdpNegotiator.IsVideo(media) && agreed.Video?.Mid == media.Mid) || (SdpNegotiator.IsData(media) && agreed.Data?.Mid == media.Mid);

    private static VideoParameters Offered(VideoCodec codec) =>
        new()
        {
            Codec = codec,
            PayloadType = codec == VideoCodec.Vp8 ? (byte)96 : (byte)102,
            RtxPayloadType = codec == VideoCodec.Vp8 ? (byte)97 : (byte)103,
            Mid = "0",
            Format = codec == VideoCodec.Vp8 ? "" : H264Format,
            Extensions = VideoExtensions.Offered,
            ReducedSize = true,
            Nack = true,
            Pli = true,
            Fir = true,
            Remb = true,
            TransportFeedback = true,
        };

    private static void Session(StringBuilder text, LocalDescription local, IReadOnlyList<string> bundled)
    {
        Line(text, "v=0");
        Line(text, $"o=- {local.SessionId} 2 IN IP4 127.0.0.1");
        Line(text, "s=-");
        Line(text, "t=0 0");
        if (bundled.Count > 0)
        {
            Line(text, "a=group:BUNDLE " + string.Join(' ', bundled));
        }

        Ice(text);
        Line(text, "a=msid-semantic: WMS *");
    }

    /// <summary>The same in every description and fragment (RFC 9725 section 4.3.3).</summary>
    private static void Ice(StringBuilder text)
    {
        Line(text, "a=ice-lite");
        Line(text, "a=ice-options:trickle ice2");
    }

    private static void Video(
        StringBuilder text,
        LocalDescription local,
        VideoParameters[] codecs,
        string setup,
        bool withCandidates,
        string protocol
    )
    {
        var payloadTypes = codecs.SelectMany(c => c.RtxPayloadType is { } rtx ? new[] { c.PayloadType, rtx } : [c.PayloadType]);
        Line(text, $"m=video 9 {protocol} {string.Join(' ', payloadTypes)}");
        Transport(text, local, codecs[0].Mid, setup, withCandidates);
        foreach (var (id, uri) in codecs[0].Extensions.Lines())
        {
            Line(text, $"a=extmap:{id} {uri}");
        }

        Line(text, "a=sendonly");
        Line(text, $"a=msid:{Stream} {Track}");
        Multiplexed(text);
        if (codecs[0].ReducedSize)
        {
            Line(text, "a=rtcp-rsize");
        }

        Array.ForEach(codecs, codec => Codec(text, codec));
        var cname = $"cname:{local.SessionId.ToString("x", CultureInfo.InvariantCulture)}";
        var hasRtx = codecs[0].RtxPayloadType is not null;
        if (hasRtx)
        {
            Line(text, $"a=ssrc-group:FID {local.Ssrc} {local.RtxSsrc}");
        }

        // The media SSRC comes first: Chromium takes the first one as the media source.
        foreach (var ssrc in hasRtx ? [local.Ssrc, local.RtxSsrc] : new[] { local.Ssrc })
        {
            Line(text, $"a=ssrc:{ssrc} {cname}");
            Line(text, $"a=ssrc:{ssrc} msid:{Stream} {Track}");
        }
    }

    private static void Codec(StringBuilder text, VideoParameters codec)
    {
        var payloadType = codec.PayloadType;
        Line(text, $"a=rtpmap:{payloadType} {(codec.Codec == VideoCodec.Vp8 ? "VP8" : "H264")}/90000");
        if (codec.Format.Length > 0)
        {
            Line(text, $"a=fmtp:{payloadType} {codec.Format}");
        }

        (bool On, string Name)[] feedback =
        [
            (codec.Remb, "goog-remb"),
            (codec.TransportFeedback, "transport-cc"),
            (codec.Fir, "ccm fir"),
            (codec.Nack, "nack"),
            (codec.Pli, "nack pli"),
        ];
        foreach (var (_, name) in feedback.Where(f => f.On))
        {
            Line(text, $"a=rtcp-fb:{payloadType} {name}");
        }

        if (codec.RtxPayloadType is { } rtx)
        {
            Line(text, $"a=rtpmap:{rtx} rtx/90000");
            Line(text, $"a=fmtp:{rtx} apt={payloadType}");
        }
    }

    private static void Inactive(StringBuilder text, LocalDescription local, SdpMedia offered)
    {
        var format = offered.Formats[0];
        Line(text, $"m={offered.Kind} 9 {offered.Protocol} {format}");
        Transport(text, local, offered.Mid, "passive", true);
        Line(text, "a=inactive");
        if (SdpNegotiator.IsRtp(offered))
        {
            Multiplexed(text);
        }

        foreach (var name in new[] { "rtpmap", "fmtp" })
        {
            foreach (var value in offered.All(name).Where(value => value.StartsWith(format + " ", StringComparison.Ordinal)))
            {
                Line(text, $"a={name}:{value}");
            }
        }
    }

    private static void Data(StringBuilder text, LocalDescription local, string mid, string setup, bool withCandidates, string protocol)
    {
        Line(text, $"m=application 9 {protocol} webrtc-datachannel");
        Transport(text, local, mid, setup, withCandidates);
        Line(text, $"a=sctp-port:{SctpPort}");
        Line(text, $"a=max-message-size:{local.MaxMessageSize}");
    }

    private static void Transport(StringBuilder text, LocalDescription local, string mid, string setup, bool withCandidates)
    {
        Line(text, "c=IN IP4 0.0.0.0");
        if (withCandidates)
        {
            foreach (var candidate in local.Candidates)
            {
                Line(text, "a=" + candidate);
            }

            Line(text, "a=end-of-candidates");
        }

        Line(text, $"a=ice-ufrag:{local.Ice.Ufrag}");
        Line(text, $"a=ice-pwd:{local.Ice.Password}");
        Line(text, $"a=fingerprint:sha-256 {local.Fingerprint}");
        Line(text, $"a=setup:{setup}");
        Mid(text, mid);
    }

    /// <summary>Both names of it: RFC 9725 section 4.4.1 wants the second wherever RTP is bundled.</summary>
    private static void Multiplexed(StringBuilder text)
    {
        Line(text, "a=rtcp-mux");
        Line(text, "a=rtcp-mux-only");
    }

    private static void Mid(StringBuilder text, string mid)
    {
        if (mid.Length > 0)
        {
            Line(text, $"a=mid:{mid}");
        }
    }

    private static void Line(StringBuilder text, string line) => text.Append(line).Append("\r\n");
}
