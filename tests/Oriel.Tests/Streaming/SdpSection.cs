namespace Oriel.Tests.Streaming;

/// <summary>
/// A session description's head or one of its media sections, by its lines; read apart from what the server reads with.
/// </summary>
internal sealed class SdpSection
{
    private readonly string[] _lines;

    private SdpSection(IEnumerable<string> lines) => _lines = [.. lines];

    public string Kind => MediaLine[0];

    public int Port => int.Parse(MediaLine[1]);

    public string Protocol => MediaLine[2];

    public string[] Formats => MediaLine[3..];

    public string Mid => Find("mid") ?? "";

    public bool IsRtp => Kind is "audio" or "video";

    public string Direction => _lines.Select(line => line[2..]).FirstOrDefault(Directions.Contains) ?? "sendrecv";

    private static string[] Directions => ["sendrecv", "sendonly", "recvonly", "inactive"];

    private string[] MediaLine => _lines[0][2..].Split(' ');

    public static (SdpSection Head, SdpSection[] Media) Read(string text)
    {
        Assert.EndsWith("\r\n", text, StringComparison.Ordinal);
        var lines = text[..^2].Split("\r\n");
        Assert.All(lines, line => Assert.Matches("^[a-z]=[^\r\n]+$", line));
        int[] starts =
        [
            .. lines.Index().Where(line => line.Item.StartsWith("m=", StringComparison.Ordinal)).Select(line => line.Index),
            lines.Length,
        ];
        return (new SdpSection(lines[..starts[0]]), [.. starts.Zip(starts.Skip(1), (from, to) => new SdpSection(lines[from..to]))]);
    }

    public bool Has(string name) => _lines.Contains($"a={name}") || Find(name) is not null;

    public string? Find(string name) => All(name).FirstOrDefault();

    public IEnumerable<string> All(string name) =>
        _lines.Where(line => line.StartsWith($"a={name}:", StringComparison.Ordinal)).Select(line => line[(name.Length + 3)..]);

    /// <summary>What the BUNDLE group names, in its order.</summary>
    public string[] Bundle => Find("group")?.Split(' ')[1..] ?? [];
}
