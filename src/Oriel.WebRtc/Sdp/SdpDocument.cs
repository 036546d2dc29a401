namespace Oriel.WebRtc.Sdp;

/// <summary>One attribute line: "a=Name:Value" or "a=Name".</summary>
internal readonly record struct SdpAttribute(string Name, string Value);

/// <summary>The attributes of a session or of one media section.</summary>
internal class SdpSection
{
    private readonly List<SdpAttribute> _attributes = [];

    public IReadOnlyList<SdpAttribute> Attributes => _attributes;

    public string? Find(string name)
    {
        foreach (var attribute in _attributes)
        {
            if (attribute.Name == name)
            {
                return attribute.Value;
            }
        }

        return null;
    }

    public bool Has(string name) => Find(name) is not null;

    public IEnumerable<string> All(string name) => _attributes.Where(a => a.Name == name).Select(a => a.Value);

    internal void Add(SdpAttribute attribute) => _attributes.Add(attribute);
}

/// <summary>"m=Kind Port Protocol Formats…" and its attributes.</summary>
internal sealed class SdpMedia(string kind, int port, string protocol, string[] formats) : SdpSection
{
    public string Kind => kind;
    public int Port => port;
    public string Protocol => protocol;
    public IReadOnlyList<string> Formats => formats;

    /// <summary>
    /// Port 0 refuses a section, unless it is bundle-only (RFC 9143 section 6), which is how Firefox offers all sections but the first.
    /// </summary>
    public bool IsActive => Port != 0 || Has("bundle-only");

    public string Mid => Find("mid") ?? "";
}

/// <summary>A session description, split into lines and sections (RFC 8866); bounded, and strict only where it matters.</summary>
internal sealed class SdpDocument : SdpSection
{
    public const int MaxLength = 64 * 1024;
    private const int MaxLines = 2000;
    private const int MaxMedia = 16;
    private const int MaxFormats = 100;

    private readonly List<SdpMedia> _media = [];

    public IReadOnlyList<SdpMedia> Media => _media;

    /// <summary>Throws <see cref="SdpException"/> with a readable message.</summary>
    public static SdpDocument Parse(string text)
    {
        if (!text.StartsWith("v=0", StringComparison.Ordinal))
        {
            throw new SdpException("This is not a session description: it does not begin with v=0.");
        }

        return ParseLines(text);
    }

    /// <summary>A fragment as in RFC 8840 section 9: attribute lines, and m-lines only to name sections.</summary>
    public static SdpDocument ParseFragment(string text) => ParseLines(text);

    private static SdpDocument ParseLines(string text)
    {
        if (text.Length > MaxLength)
        {
            throw new SdpException($"The session description is longer than {MaxLength} characters.");
        }

        var document = new SdpDocument();
        SdpSection section = document;
        var count = 0;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan(range).TrimEnd('\r');
            if (line.IsEmpty)
            {
                continue;
            }

            if (++count > MaxLines)
            {
                throw new SdpException($"The session description has more than {MaxLines} lines.");
            }

            if (line.Length < 2 || line[1] != '=' || line[0] is < 'a' or > 'z' || line.ContainsAnyInRange('\0', '\x1f'))
            {
                throw new SdpException($"Line {count} of the session description is malformed.");
            }

            if (line[0] == 'm')
            {
                section = document.AddMedia(line[2..], count);
            }
            else if (line[0] == 'a')
            {
                var colon = line.IndexOf(':');
                section.Add(
                    colon < 0 ? new(line[2..].ToString(), "") : new(line[2..colon].ToString(), line[(colon + 1)..].Trim().ToString())
                );
            }
        }

        return document;
    }

    private SdpMedia AddMedia(ReadOnlySpan<char> value, int lineNumber)
    {
        var parts = value.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length is < 4 or > MaxFormats + 3 || !ushort.TryParse(parts[1].Split('/')[0], out var port))
        {
            throw new SdpException($"Line {lineNumber} of the session description is a malformed m-line.");
        }

        if (_media.Count == MaxMedia)
        {
            throw new SdpException($"The session description has more than {MaxMedia} media sections.");
        }

        var media = new SdpMedia(parts[0], port, parts[2], parts[3..]);
        _media.Add(media);
        return media;
    }
}
