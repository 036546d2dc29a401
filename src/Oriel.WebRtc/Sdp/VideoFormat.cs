using System.Globalization;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Sdp;

/// <summary>One payload type of a video section: rtpmap and fmtp.</summary>
internal sealed record VideoFormat(byte PayloadType, string Name, string Parameters)
{
    public VideoCodec? Codec =>
        Name.ToUpperInvariant() switch
        {
            "VP8" => VideoCodec.Vp8,
            "H264" => VideoCodec.H264,
            _ => null,
        };

    public static IReadOnlyList<VideoFormat> ReadAll(SdpMedia video)
    {
        var formats = new List<VideoFormat>();
        foreach (var line in video.All("rtpmap"))
        {
            if (
                !TrySplit(line, out var payloadType, out var rest)
                || !video.Formats.Contains(payloadType.ToString(CultureInfo.InvariantCulture))
            )
            {
                continue;
            }

            var parts = rest.Split('/');
            if (parts.Length >= 2 && parts[1] == "90000")
            {
                var parameters = video
                    .All("fmtp")
                    .Select(f => TrySplit(f, out var pt, out var value) && pt == payloadType ? value : null)
                    .FirstOrDefault(v => v is not null);
                formats.Add(new VideoFormat(payloadType, parts[0], parameters ?? ""));
            }
        }

        return formats;
    }

    /// <summary>
    /// VP8: the first. H.264: packetization-mode 1 is required. Constrained baseline (42e0xx) is best, then baseline, then any, since a
    /// decoder for a higher profile also decodes constrained baseline. The sender's level may be higher (level-asymmetry-allowed).
    /// </summary>
    public static VideoFormat? Choose(IReadOnlyList<VideoFormat> formats, VideoCodec codec)
    {
        var candidates = formats.Where(f => f.Codec == codec);
        return codec == VideoCodec.Vp8
            ? candidates.FirstOrDefault()
            : candidates.Where(f => f.Parameter("packetization-mode") == "1").MinBy(f => f.ProfileDistance());
    }

    public bool IsRtxOf(byte payloadType) =>
        Name.Equals("rtx", StringComparison.OrdinalIgnoreCase) && Parameter("apt") == payloadType.ToString(CultureInfo.InvariantCulture);

    private int ProfileDistance()
    {
        var profile = (Parameter("profile-level-id") ?? "420010").ToLowerInvariant();
        return profile.StartsWith("42e0", StringComparison.Ordinal) ? 0
            : profile.StartsWith("42", StringComparison.Ordinal) ? 1
            : 2;
    }

    private string? Parameter(string name)
    {
        foreach (var part in Parameters.Split(';', StringSplitOptions.TrimEntries))
        {
            if (part.Length > name.Length && part[name.Length] == '=' && part.StartsWith(name, StringComparison.OrdinalIgnoreCase))
            {
                return part[(name.Length + 1)..];
            }
        }

        return null;
    }

    private static bool TrySplit(string line, out byte payloadType, out string rest)
    {
        var space = line.IndexOf(' ');
        rest = space < 0 ? "" : line[(space + 1)..].Trim();
        payloadType = 0;
        return space > 0
            && byte.TryParse(line.AsSpan(0, space), NumberStyles.None, CultureInfo.InvariantCulture, out payloadType)
            && payloadType < 128;
    }
}
