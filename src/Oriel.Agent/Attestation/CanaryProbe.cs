using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Oriel.Protocol;

namespace Oriel.Agent.Attestation;

/// <param name="Status">0 when there was no answer; then <paramref name="Error"/> says why.</param>
internal readonly record struct CanaryResult(int Status, string Body, string Error, long ElapsedUs);

/// <summary>Asks the canary through the proxy that the session's own environment names, as any program of the desktop would.</summary>
internal static class CanaryProbe
{
    private const int MaxBodyBytes = 4096;

    public static async Task<CanaryResult> RunAsync(
        string nonce,
        IReadOnlyDictionary<string, string> session,
        TimeSpan limit,
        CancellationToken cancellationToken
    )
    {
        var began = Stopwatch.GetTimestamp();
        if (nonce.Length > 128 || !nonce.All(char.IsAsciiLetterOrDigit))
        {
            return new CanaryResult(0, "", "the nonce is not at most 128 letters and digits", 0);
        }

        if (!session.TryGetValue("http_proxy", out var proxy) && !session.TryGetValue("HTTP_PROXY", out proxy))
        {
            return new CanaryResult(0, "", "the session has no http_proxy", 0);
        }

        if (!Uri.TryCreate(proxy, UriKind.Absolute, out var address) || address.Scheme != "http")
        {
            return new CanaryResult(0, "", "the session's http_proxy is not an http URL", 0);
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(limit);
        using var handler = new SocketsHttpHandler
        {
            Proxy = new WebProxy(address, BypassOnLocal: false),
            UseProxy = true,
            AllowAutoRedirect = false,
        };
        using var client = new HttpClient(handler) { MaxResponseContentBufferSize = MaxBodyBytes };
        try
        {
            using var response = await client.GetAsync($"http://{GuestNetwork.CanaryHost}/{nonce}", deadline.Token);
            var body = await response.Content.ReadAsStringAsync(deadline.Token);
            return new CanaryResult((int)response.StatusCode, body, "", Elapsed());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new CanaryResult(0, "", $"no answer through {proxy} within {limit.TotalSeconds:0} s", Elapsed());
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            return new CanaryResult(0, "", $"through {proxy}: {e.Message}", Elapsed());
        }

        long Elapsed() => (long)Stopwatch.GetElapsedTime(began).TotalMicroseconds;
    }
}
