using System.Text.Json;
using Oriel.Protocol.Keeper;

namespace Oriel.Egress.Proxy;

/// <summary>Reads the line of JSON that a keeper puts before each connection.</summary>
internal static class PreambleReader
{
    private const int MaxBytes = 4096;

    /// <summary>Null when the line is not a preamble.</summary>
    public static async Task<EgressPreamble?> ReadAsync(HttpReader reader, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(timeout);
        var line = await reader.ReadLineAsync(MaxBytes, deadline.Token);
        return line is null ? null : Parse(line);
    }

    internal static EgressPreamble? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            var preamble = JsonSerializer.Deserialize(line, KeeperJsonContext.Default.EgressPreamble);
            return preamble is { DesktopId.Length: > 0, Key.Length: > 0, Port: >= 0 and <= 65535 } ? preamble : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
