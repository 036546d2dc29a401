using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Oriel.Tests.Egress;
using Oriel.Tests.Server;

namespace Oriel.Tests.Fuzz;

/// <summary>The real server at its HTTP port: whatever is asked, the answer is no 5xx, and a refusal by the API says its reason.</summary>
public sealed class HttpBorderFuzzTests
{
    private const int Alive = 100;

    /// <summary>Largest head that Kestrel takes; of a longer one the rest may cross its answer, which is then lost.</summary>
    private const int Kestrel = 32 * 1024;

    /// <summary>A request that is not whole by now is taken for one that never will be.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(50);

    [Fact]
    public async Task Request_Mutated_IsAnsweredWithoutAFault()
    {
        await using var server = await TestServer.StartAsync(maxDesktops: 2, logged: Microsoft.Extensions.Logging.LogLevel.Error);
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        var rounds = 0;
        await Fuzzer.RunAsync(
            "http-api",
            async input =>
            {
                var request = Fill(input, server.Token, id, new Uri(server.Url).Port);
                var (answer, closed) = await AskAsync(new Uri(server.Url), request);
                Assert.True(answer.Length > 0 || closed || request.Length > Kestrel, "the connection was dropped without a word");
                if (answer.Length > 0)
                {
                    Judge(request, answer, server.Log.Text);
                }

                if (++rounds % Alive == 0)
                {
                    using var session = await server.Api.GetAsync("/api/session", TestContext.Current.CancellationToken);
                    Assert.Equal(System.Net.HttpStatusCode.OK, session.StatusCode);
                }
            },
            iterations: 120,
            form: FuzzForm.Text
        );
        Assert.True(server.Log.Text.Length == 0, server.Log.Text);
    }

    /// <summary>The bodies alone are mutated here, by their tree, so that most arrive as JSON at the code behind the border.</summary>
    [Theory]
    [InlineData("create", "POST", "")]
    [InlineData("egress-policy", "PUT", "/{ID}/egress")]
    public async Task Body_Mutated_IsTakenOrRefusedWithAReason(string seeds, string method, string path)
    {
        await using var server = await TestServer.StartAsync(maxDesktops: 2, logged: Microsoft.Extensions.Logging.LogLevel.Error);
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        var address = "/api/desktops" + path.Replace("{ID}", id, StringComparison.Ordinal);
        await Fuzzer.RunAsync(
            seeds,
            async input =>
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), address) { Content = new ByteArrayContent(input) };
                request.Content.Headers.ContentType = new("application/json");
                using var response = await server.Api.SendAsync(request, TestContext.Current.CancellationToken);
                var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                Assert.True((int)response.StatusCode < 500, $"{response.StatusCode}: {body}; {server.Log.Text}");
                Assert.True(response.IsSuccessStatusCode || ReasonOf(body) is not null, $"{response.StatusCode}: {body}");
                if (response.StatusCode == System.Net.HttpStatusCode.Created)
                {
                    using var gone = await server.Api.DeleteAsync(response.Headers.Location, TestContext.Current.CancellationToken);
                }
            },
            iterations: 150,
            form: FuzzForm.Json
        );
        Assert.True(server.Log.Text.Length == 0, server.Log.Text);
    }

    private static byte[] Fill(byte[] input, string token, string id, int port) =>
        Encoding.Latin1.GetBytes(
            Encoding
                .Latin1.GetString(input)
                .Replace("{TOKEN}", token, StringComparison.Ordinal)
                .Replace("{ID}", id, StringComparison.Ordinal)
                .Replace("{PORT}", port.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)
        );

    /// <returns>The answer, and whether it ended only because we closed our side: the request was not whole then, or not the
    /// last.</returns>
    private static async Task<(string Text, bool Closed)> AskAsync(Uri url, byte[] request)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(url.Host, url.Port, TestContext.Current.CancellationToken);
        await using var stream = new NetworkStream(socket);
        var answer = ReadAsync(stream);
        try
        {
            await stream.WriteAsync(request, TestContext.Current.CancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Refused before the end.
        }

        try
        {
            return (await answer.WaitAsync(Quiet, TestContext.Current.CancellationToken), false);
        }
        catch (TimeoutException)
        {
            // Kestrel takes a half-closed connection for one that nobody listens to any more: so only now.
            Close(socket);
            return (await answer, true);
        }
    }

    private static void Close(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            // The server was quicker.
        }
    }

    /// <summary>An events stream would never end: its head is enough.</summary>
    private static async Task<string> ReadAsync(NetworkStream stream)
    {
        var text = new StringBuilder();
        var buffer = new byte[64 * 1024];
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            int read;
            while ((read = await stream.ReadAsync(buffer, deadline.Token)) > 0)
            {
                text.Append(Encoding.Latin1.GetString(buffer, 0, read));
                if (text.ToString().Contains("text/event-stream", StringComparison.Ordinal))
                {
                    break;
                }
            }
        }
        catch (IOException)
        {
            // A reset is an end as well.
        }

        return text.ToString();
    }

    private static void Judge(byte[] request, string answer, string log)
    {
        var asked = Encoding.Latin1.GetString(request);
        Assert.StartsWith("HTTP/1.1 ", answer, StringComparison.Ordinal);
        var status = int.Parse(answer.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
        var own = answer.Contains("Content-Security-Policy", StringComparison.OrdinalIgnoreCase);
        Assert.True(status < 500 || (status == 505 && !own), $"{answer}\n{log}");
        if (status < 400)
        {
            return;
        }

        // What Kestrel itself refuses (another version of HTTP with 505) has no security headers and no body; all else is a problem with a
        // reason.
        var body = answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        if (own && !asked.StartsWith("HEAD", StringComparison.Ordinal))
        {
            Assert.True(ReasonIn(body), answer);
        }
        else
        {
            Assert.True(body.Length == 0 || asked.Contains("HEAD", StringComparison.Ordinal), answer);
        }
    }

    private static bool ReasonIn(string body) => body.Contains("\"reason\":\"", StringComparison.Ordinal);

    private static string? ReasonOf(string body)
    {
        try
        {
            return JsonNode.Parse(body)?["reason"]?.GetValue<string>();
        }
        catch (System.Text.Json.JsonException)
        {
            return null;
        }
    }
}
