using System.Globalization;
using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Sdp;

/// <summary>
/// Reads a peer's offer or answer into <see cref="Negotiated"/>, or throws an <see cref="SdpException"/> that says what cannot work.
/// </summary>
internal static class SdpNegotiator
{
    /// <summary>RFC 8841 section 6.1: the default is 64 K.</summary>
    private const long DefaultMaxMessageSize = 65536;
    private const int MaxMid = 16; // the longest that RFC 8285's one-byte headers can carry

    public static Negotiated ReadOffer(SdpDocument offer, IReadOnlyList<VideoCodec> codecs)
    {
        var video = offer.Media.FirstOrDefault(IsVideo);
        var data = offer.Media.FirstOrDefault(IsData);
        if (video is null && data is null)
        {
            throw new SdpException("The offer has neither a video section nor a data channel section.");
        }

        RequireBundle(offer, video, data);
        if (offer.Media.Count(IsVideo) > 1)
        {
            throw new SdpException("The offer has several video sections, and there is one screen to show.");
        }

        if (video is not null && DirectionOf(offer, video) is "sendonly" or "inactive")
        {
            throw new SdpException("The offer's video section does not receive: recvonly or sendrecv is needed.");
        }

        var first = TransportOf(offer, video ?? data!);
        var setup = first.Find("setup") ?? offer.Find("setup");
        if (setup is not ("actpass" or "active"))
        {
            throw new SdpException("The offer must let this side be the DTLS server: a=setup:actpass or active.");
        }

        var parameters = video is null ? null : ReadVideo(video, codecs);
        return new Negotiated(
            first,
            ReadIce(offer, first),
            ReadFingerprint(offer, first),
            parameters,
            data is null ? null : ReadData(data)
        );
    }

    public static Negotiated ReadAnswer(SdpDocument answer, IReadOnlyList<VideoCodec> codecs)
    {
        var video = answer.Media.FirstOrDefault(IsVideo);
        var data = answer.Media.FirstOrDefault(IsData);
        var first = TransportOf(answer, video ?? data ?? throw new SdpException("The answer accepts neither video nor data channels."));
        RequireBundle(answer, video, data);
        if ((first.Find("setup") ?? answer.Find("setup")) != "active")
        {
            throw new SdpException("The answer must be the DTLS client: a=setup:active.");
        }

        var parameters = video is null || DirectionOf(answer, video) is "inactive" or "sendonly" ? null : ReadVideo(video, codecs);
        return new Negotiated(
            first,
            ReadIce(answer, first),
            ReadFingerprint(answer, first),
            parameters,
            data is null ? null : ReadData(data)
        );
    }

    /// <summary>The section's credentials, or else the session's.</summary>
    public static IceCredentials? FindIce(SdpDocument document, SdpSection? section)
    {
        var ufrag = section?.Find("ice-ufrag") ?? document.Find("ice-ufrag");
        var password = section?.Find("ice-pwd") ?? document.Find("ice-pwd");
        return ufrag is null || password is null
            ? null
            : new IceCredentials(Checked(ufrag, 4, "ice-ufrag"), Checked(password, 22, "ice-pwd"));
    }

    /// <summary>
    /// The credentials of a fragment (RFC 8840 section 9); null for candidates alone, which need no repetition of the present ones.
    /// </summary>
    public static IceCredentials? ReadFragment(SdpDocument fragment)
    {
        SdpSection[] sections = [fragment, .. fragment.Media];
        var names = sections.SelectMany(section => section.Attributes).Select(attribute => attribute.Name).ToHashSet();
        if (names.Contains("ice-ufrag") != names.Contains("ice-pwd"))
        {
            throw new SdpException("The fragment has one of a=ice-ufrag and a=ice-pwd only.");
        }

        return fragment
                .Media.Select(media => FindIce(fragment, media))
                .Append(FindIce(fragment, null))
                .FirstOrDefault(ice => ice is not null)
            ?? (
                names.Contains("candidate") || names.Contains("end-of-candidates")
                    ? null
                    : throw new SdpException("The fragment has neither ICE credentials nor candidates.")
            );
    }

    /// <summary>The identification tags of the BUNDLE group; empty if there is no group.</summary>
    public static IReadOnlyList<string> BundleOf(SdpDocument document) =>
        document.All("group").FirstOrDefault(g => g.StartsWith("BUNDLE ", StringComparison.Ordinal))?.Split(' ')[1..] ?? [];

    /// <summary>
    /// The bundle's tagged section, whose transport the bundle uses (RFC 9143 section 7.1.3); null when there is none that can be used.
    /// </summary>
    public static SdpMedia? TaggedOf(SdpDocument document)
    {
        var tag = BundleOf(document).FirstOrDefault();
        var tagged = tag is null ? null : document.Media.FirstOrDefault(media => media.Mid == tag);
        return tagged is not null && tagged.IsActive && (IsRtp(tagged) || IsData(tagged)) ? tagged : null;
    }

    /// <summary>The section's direction, or else the session's; null, where none is given, is sendrecv (RFC 8866 section 6.7).</summary>
    private static string? DirectionOf(SdpDocument document, SdpMedia media) =>
        ((SdpSection[])[media, document])
            .SelectMany(section => section.Attributes)
            .Select(attribute => attribute.Name)
            .FirstOrDefault(name => name is "sendrecv" or "sendonly" or "recvonly" or "inactive");

    public static bool IsRtp(SdpMedia media) => media.Protocol is "UDP/TLS/RTP/SAVPF" or "TCP/DTLS/RTP/SAVPF" or "TCP/TLS/RTP/SAVPF";

    private static SdpMedia TransportOf(SdpDocument document, SdpMedia media) =>
        BundleOf(document).Contains(media.Mid) && TaggedOf(document) is { } tagged && (tagged.Has("ice-ufrag") || !media.Has("ice-ufrag"))
            ? tagged
            : media;

    public static bool IsVideo(SdpMedia media) => media.Kind == "video" && media.IsActive;

    public static bool IsData(SdpMedia media) =>
        media.Kind == "application" && media.IsActive && media.Formats.Contains("webrtc-datachannel");

    private static IceCredentials ReadIce(SdpDocument document, SdpMedia media) =>
        FindIce(document, media) ?? throw new SdpException("The session description has no ICE credentials (a=ice-ufrag and a=ice-pwd).");

    // RFC 8839 section 5.4: ice-char, 4 to 256 in a ufrag, 22 to 256 in a password.
    private static string Checked(string value, int min, string name)
    {
        if (
            value.Length < min
            || value.Length > 256
            || value.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('+' or '/' or '-' or '_' or '=' or '#'))
        )
        {
            throw new SdpException($"a={name} is malformed.");
        }

        return value;
    }

    private static CertificateFingerprint ReadFingerprint(SdpDocument document, SdpMedia media)
    {
        var lines = media.All("fingerprint").Concat(document.All("fingerprint")).Take(8).ToList();
        if (lines.Count == 0)
        {
            throw new SdpException("The session description has no a=fingerprint: only DTLS-SRTP is supported.");
        }

        return lines.Select(line => CertificateFingerprint.TryParse(line)).FirstOrDefault(f => f is not null)
            ?? throw new SdpException("The fingerprint is malformed or its hash is not supported (sha-256, sha-384 and sha-512 are).");
    }

    private static void RequireBundle(SdpDocument document, SdpMedia? video, SdpMedia? data)
    {
        var mids = document.Media.Select(media => media.Mid).Where(mid => mid.Length > 0).ToList();
        if (mids.Distinct().Count() < mids.Count)
        {
            throw new SdpException("Two sections have the same a=mid.");
        }

        foreach (var media in new[] { video, data })
        {
            if (media is not null && (media.Mid.Length > MaxMid || media.Mid.Any(c => c is <= ' ' or > '~')))
            {
                throw new SdpException($"a=mid must be at most {MaxMid} printable characters.");
            }
        }

        if (video is not null && !video.Has("rtcp-mux") && !TransportOf(document, video).Has("rtcp-mux"))
        {
            throw new SdpException("The video section needs a=rtcp-mux: everything shares one port.");
        }

        if (video is null || data is null)
        {
            return;
        }

        var group = BundleOf(document);
        if (!group.Contains(video.Mid) || !group.Contains(data.Mid))
        {
            throw new SdpException("Video and data channels must be bundled (a=group:BUNDLE): everything shares one port.");
        }
    }

    private static DataParameters ReadData(SdpMedia data)
    {
        if (!ushort.TryParse(data.Find("sctp-port"), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
        {
            throw new SdpException("The data channel section has no valid a=sctp-port.");
        }

        var size = long.TryParse(data.Find("max-message-size"), NumberStyles.None, CultureInfo.InvariantCulture, out var max)
            ? max
            : DefaultMaxMessageSize;
        return new DataParameters(data.Mid, port, size);
    }

    private static VideoParameters ReadVideo(SdpMedia video, IReadOnlyList<VideoCodec> codecs)
    {
        if (!IsRtp(video))
        {
            throw new SdpException("The video section's protocol must be UDP/TLS/RTP/SAVPF.");
        }

        var formats = VideoFormat.ReadAll(video);
        var chosen =
            codecs.Select(codec => VideoFormat.Choose(formats, codec)).FirstOrDefault(f => f is not null)
            ?? throw new SdpException(
                $"No video codec in common: this side sends {string.Join(" or ", codecs).ToUpperInvariant()} (H.264 with packetization-mode=1)."
            );
        var rtx = formats.FirstOrDefault(f => f.IsRtxOf(chosen.PayloadType));
        var feedback = video
            .All("rtcp-fb")
            .Where(line => AppliesTo(line, chosen.PayloadType))
            .Select(line => line[(line.IndexOf(' ') + 1)..].Trim())
            .ToHashSet();
        return new VideoParameters
        {
            Codec = chosen.Codec!.Value,
            PayloadType = chosen.PayloadType,
            RtxPayloadType = rtx?.PayloadType,
            Mid = video.Mid,
            Format = chosen.Parameters,
            Extensions = ReadExtensions(video),
            Nack = rtx is not null && feedback.Contains("nack"), // resends use RTX only
            ReducedSize = video.Has("rtcp-rsize"),
            Pli = feedback.Contains("nack pli"),
            Fir = feedback.Contains("ccm fir"),
            Remb = feedback.Contains("goog-remb"),
            TransportFeedback = feedback.Contains("transport-cc"),
        };
    }

    private static bool AppliesTo(string line, byte payloadType)
    {
        var space = line.IndexOf(' ');
        return space > 0 && (line[..space] == "*" || line[..space] == payloadType.ToString(CultureInfo.InvariantCulture));
    }

    private static VideoExtensions ReadExtensions(SdpMedia video)
    {
        var found = new VideoExtensions();
        foreach (var line in video.All("extmap"))
        {
            var parts = line.Split(' ', 3);
            if (
                parts.Length < 2
                || !int.TryParse(parts[0].Split('/')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                || id is < 1 or > 14
            )
            {
                continue;
            }

            found = parts[1] switch
            {
                VideoExtensions.AbsoluteSendTimeUri => found with { AbsoluteSendTime = id },
                VideoExtensions.TransportSequenceUri => found with { TransportSequence = id },
                VideoExtensions.MidUri => found with { Mid = id },
                VideoExtensions.PlayoutDelayUri => found with { PlayoutDelay = id },
                _ => found,
            };
        }

        return found;
    }
}
