using System.Text;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Proxy;

/// <summary>The answers that the proxy gives itself.</summary>
internal static class HttpAnswers
{
    private static readonly Dictionary<int, string> Phrases = new()
    {
        [400] = "Bad Request",
        [403] = "Forbidden",
        [502] = "Bad Gateway",
        [503] = "Service Unavailable",
        [504] = "Gateway Timeout",
    };

    public static Task ErrorAsync(
        Stream guest,
        int status,
        EgressReason reason,
        bool close,
        CancellationToken cancellationToken,
        string? detail = null
    ) =>
        TextAsync(
            guest,
            $"{status} {Phrases[status]}",
            $"Oriel: {reason.Message}{(detail is null ? "" : $" ({detail})")}\n",
            $"X-Oriel-Reason: {reason.Code}\r\n",
            close,
            cancellationToken
        );

    public static async Task TextAsync(
        Stream guest,
        string status,
        string body,
        string extraFields,
        bool close,
        CancellationToken cancellationToken
    )
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var head =
            $"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {bytes.Length}\r\nCache-Control: no-store\r\n{extraFields}Connection: {(close ? "close" : "keep-alive")}\r\n\r\n";
        await guest.WriteAsync((byte[])[.. Encoding.Latin1.GetBytes(head), .. bytes], cancellationToken);
    }

    /// <summary>The status of a refusal or failure.</summary>
    public static int StatusOf(bool refused, EgressReason reason) =>
        refused ? 403
        : reason == EgressReason.ConnectTimeout ? 504
        : 502;
}
