using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Oriel.Protocol;

namespace Oriel.Tests.Server;

/// <summary>As <see cref="RouteTableTests"/>, of what takes a body: what stands in it, how long it is and how it comes.</summary>
public sealed class RouteBodyTests(RouteTableServer table) : IClassFixture<RouteTableServer>, IAsyncDisposable
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> WithBody => ApiOperation.Where(operation => operation.BodyType is not null);

    public static TheoryData<string, string> WithTypedBody => ApiOperation.Where(operation => operation.BodyType is not (null or "*/*"));

    public static TheoryData<string, string> WithText =>
        ApiOperation.Where(operation => operation.BodyType is not (null or ApiOperation.Json));

    public static TheoryData<string, string> WithJson => ApiOperation.Where(operation => operation.BodyType == ApiOperation.Json);

    public async ValueTask DisposeAsync() => await table.RequireUnharmedAsync();

    [Theory]
    [MemberData(nameof(WithTypedBody))]
    public async Task Body_OfAnotherType_Is415(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        string?[] types =
        [
            null,
            "",
            "nonsense",
            "text/plain",
            "*/*",
            $"{operation.BodyType}x",
            $"x{operation.BodyType}",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            $"text/plain, {operation.BodyType}",
        ];
        var faults = new List<string>();
        foreach (var type in types)
        {
            var answer = await table.AskAsync(table.Request(method, table.AddressOf(operation), [.. operation.FairBody, (byte)' '], type));
            faults.AddRange(RouteTableServer.Faults(operation, answer, $"{type}"));
            if ((answer.Status, answer.Reason) != (415, RequestReasons.UnsupportedMediaType) && !answer.IsParsers)
            {
                faults.Add($"{type}: {answer.Status} {answer.Text}");
            }
        }

        RouteTableServer.Require(faults);
    }

    [Theory]
    [MemberData(nameof(WithJson))]
    public async Task Body_ThatIsNoSuchObject_Is400(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        var faults = new List<string>();
        foreach (var (name, body) in OddBodies.NoObjects)
        {
            var answer = await table.AskAsync(table.Request(method, table.AddressOf(operation), body, operation.BodyType));
            faults.AddRange(RouteTableServer.Faults(operation, answer, name));
            var isLong = body.Length > table.LimitOf(operation);
            if ((answer.Status, answer.Reason) != (isLong ? (413, RequestReasons.TooLarge) : (400, RequestReasons.BadRequest)))
            {
                faults.Add($"{name}: {answer.Status} {answer.Text}");
            }
        }

        RouteTableServer.Require(faults);
    }

    [Theory]
    [MemberData(nameof(WithJson))]
    public async Task Body_WithAnOddValue_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        await table.RequireFairAnswersAsync(
            operation,
            OddBodies
                .Of(operation.BodySchema)
                .Select(odd => (odd.Name, table.Request(method, table.AddressOf(operation), odd.Body, operation.BodyType)))
        );
    }

    [Theory]
    [MemberData(nameof(WithText))]
    public async Task Body_OfOddText_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        var address = table.AddressOf(operation) + operation.FairQuery;
        await table.RequireFairAnswersAsync(
            operation,
            OddBodies.NoObjects.Select(odd => (odd.Name, table.Request(method, address, odd.Body, operation.BodyType)))
        );
    }

    /// <summary>
    /// What a body may have is the server's own word, so that a new route is held as well. Of a chunked one it counts the chunks' heads
    /// too.
    /// </summary>
    [Theory]
    [MemberData(nameof(WithTypedBody))]
    public async Task Body_BeyondItsLimit_Is413AndAtItIsNot(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        var limit = table.LimitOf(operation);
        foreach (var (length, isChunked) in new[] { (limit, false), (limit / 2, true), (limit + 1, false), (limit + 1, true) })
        {
            var body = new byte[length];
            body.AsSpan().Fill((byte)' ');
            operation.FairBody.CopyTo(body, 0);
            using var request = table.Request(method, table.AddressOf(operation) + operation.FairQuery, body, operation.BodyType);
            request.Headers.TransferEncodingChunked = isChunked;

            // Else the refusal comes while the rest is on its way, which finds a closed connection.
            request.Headers.ExpectContinue = length > limit;
            var answer = await table.AskAsync(request);

            RouteTableServer.Require(RouteTableServer.Faults(operation, answer, $"{length} chunked: {isChunked}"));
            Assert.Equal((length > limit, length > limit), (answer.Status == 413, answer.Reason == RequestReasons.TooLarge));
        }
    }

    [Theory]
    [MemberData(nameof(WithBody))]
    public async Task Body_ThatIsNotFramed_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        (string Framing, string Content, bool IsEnded)[] requests =
        [
            ("Transfer-Encoding: chunked", "zz\r\n", false),
            ("Transfer-Encoding: chunked", "1\r\nabc\r\n", false),
            ("Transfer-Encoding: chunked", "3\r\n{} x\r\n0\r\n\r\n", false),
            ("Transfer-Encoding: chunked", "ffffffffffffffffff\r\n", false),
            ("Transfer-Encoding: chunked", "80000000\r\n", false),
            ("Transfer-Encoding: chunked", "-1\r\n", false),
            ("Transfer-Encoding: chunked", "5\r\nab", true),
            ("Transfer-Encoding: gzip", "{}", false),
            ("Content-Length: -1", "{}", false),
            ("Content-Length: 2\r\nContent-Length: 3", "{}", false),
            ("Content-Length: 10", "{}", true),
        ];
        foreach (var (framing, content, isEnded) in requests)
        {
            var address = table.AddressOf(operation) + operation.FairQuery;
            var head =
                $"{method} {address} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {table.Server.Token}\r\nConnection: close\r\n"
                + $"Content-Type: {operation.BodyType!.Replace("*", "a", StringComparison.Ordinal)}\r\n{framing}\r\n\r\n";
            var answer = await RawAsync(head + content, isEnded);
            if (answer.Length == 0)
            {
                continue;
            }

            var status = int.Parse(answer.AsSpan(9, 3));
            Assert.True(status is >= 400 and < 500, $"{framing} {content}: {answer}");
            if (answer.Contains("X-Frame-Options", StringComparison.Ordinal))
            {
                Assert.Contains("application/problem+json", answer);
                Assert.Contains(status, operation.Statuses);
            }
        }
    }

    /// <summary>At the limit it is taken, or there is no room for another desktop: never the body's fault.</summary>
    [Theory]
    [InlineData("\"width\":320", "\"width\":319")]
    [InlineData("\"width\":3840", "\"width\":3841")]
    [InlineData("\"height\":240", "\"height\":239")]
    [InlineData("\"height\":2160", "\"height\":2161")]
    [InlineData("\"ttl\":1", "\"ttl\":0")]
    [InlineData("\"ttl\":2592000", "\"ttl\":2592001")]
    [InlineData("\"idleTimeout\":2592000", "\"idleTimeout\":2592001")]
    [InlineData("\"idlePause\":2592000", "\"idlePause\":2592001")]
    [InlineData("\"name\":\"{64}\"", "\"name\":\"{65}\"")]
    [InlineData("\"hostname\":\"{63}\"", "\"hostname\":\"{64}\"")]
    [InlineData("\"startUrl\":\"http://a/{2039}\"", "\"startUrl\":\"http://a/{2040}\"")]
    [InlineData("\"env\":{\"{256}\":\"{32768}\"}", "\"env\":{\"{256}\":\"{32769}\"}")]
    [InlineData("\"env\":{\"{256}\":\"\"}", "\"env\":{\"{257}\":\"\"}")]
    [InlineData("\"files\":[{\"path\":\"/{255}\",\"content\":\"\"}]", "\"files\":[{\"path\":\"/{256}\",\"content\":\"\"}]")]
    [InlineData(
        "\"egress\":{\"allow\":[{\"host\":\"a\",\"ports\":[65535]}]}",
        "\"egress\":{\"allow\":[{\"host\":\"a\",\"ports\":[65536]}]}"
    )]
    public async Task Create_AtALimit_IsTakenAndBeyondRefused(string at, string beyond)
    {
        foreach (var (text, isBeyond) in new[] { (at, false), (beyond, true) })
        {
            var body = Regex.Replace(text, "\\{(\\d+)\\}", n => new string('x', int.Parse(n.Groups[1].Value)));
            var answer = await table.AskAsync(
                table.Request("POST", "/api/desktops", Encoding.UTF8.GetBytes($"{{{body}}}"), ApiOperation.Json)
            );

            Assert.Contains(answer.Status, isBeyond ? new[] { 400 } : [201, 429]);
            if (answer.Status == 201)
            {
                await table.AskAsync(table.Request("DELETE", $"/api/desktops/{JsonNode.Parse(answer.Text)!["id"]}"));
            }
        }
    }

    private async Task<string> RawAsync(string request, bool isEnded)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", new Uri(table.Server.Url).Port, Token);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(request), Token);
        if (isEnded)
        {
            socket.Client.Shutdown(SocketShutdown.Send);
        }

        var answer = new MemoryStream();
        try
        {
            await stream.CopyToAsync(answer, Token);
        }
        catch (IOException)
        {
            // It is closed while some of the request is unread, which the kernel tells by a reset: the answer may be lost.
        }

        return Encoding.UTF8.GetString(answer.ToArray());
    }
}
