using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Oriel.Protocol;

namespace Oriel.Tests.Server;

/// <summary>
/// Each operation that the server has, under what clients get wrong and what they do on purpose: whatever they send, it is their fault, is
/// answered by a documented status and reason, and harms nothing.
/// </summary>
public sealed class RouteTableTests(RouteTableServer table) : IClassFixture<RouteTableServer>, IAsyncDisposable
{
    /// <summary>As <see cref="Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerLimits.MaxRequestLineSize"/> leaves room for.</summary>
    private const int LongName = 4000;

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "ODD"];

    /// <summary>Paths without an operation: the page, and what describes and measures the server itself.</summary>
    private static readonly string[] Undescribed =
    [
        "/signin",
        "/",
        "/{**",
        "/assets/signin-built-in.js",
        "/metrics",
        "/openapi/",
        "/api/docs",
    ];

    public static TheoryData<string, string> Operations => ApiOperation.Where(_ => true);

    public static TheoryData<string> Paths => new(ApiOperation.All.Select(operation => operation.Path).Distinct());

    public async ValueTask DisposeAsync() => await table.RequireUnharmedAsync();

    [Fact]
    public void Routes_EachIsDescribed_OrOfThePage()
    {
        var described = ApiOperation.All.Select(operation => operation.ToString()).ToHashSet();
        var routes = table
            .Endpoints.SelectMany(endpoint =>
                (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["ANY"]).Select(method =>
                    (Name: $"{method} {RouteTableServer.PathOf(endpoint)}", Path: RouteTableServer.PathOf(endpoint))
                )
            )
            .ToList();

        Assert.Empty(described.Except(routes.Select(route => route.Name)));
        Assert.Empty(
            routes
                .Where(route =>
                    !Undescribed.Any(path => path == "/" ? route.Path == path : route.Path.StartsWith(path, StringComparison.Ordinal))
                )
                .Select(route => route.Name)
                .Where(name => !name.StartsWith("OPTIONS ", StringComparison.Ordinal))
                .Except(described)
        );
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Call_AsItIsMeant_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        await table.RequireFairAnswersAsync(operation, [($"{operation}", table.Fair(operation))]);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public async Task Method_ThatAPathHasNot_Is405WithThoseThatItHas(string path)
    {
        var operations = ApiOperation.All.Where(operation => operation.Path == path).ToList();
        string[] allowed = [.. operations.Select(operation => operation.Method)];
        allowed = allowed.Contains("GET") ? [.. allowed, "HEAD"] : allowed;
        allowed = path.Contains("/whep", StringComparison.Ordinal) ? [.. allowed, "OPTIONS"] : allowed;
        var faults = new List<string>();
        foreach (var method in Methods.Except(allowed))
        {
            var answer = await table.AskAsync(table.Request(method, table.AddressOf(operations[0])));
            var told = answer.Field("Allow")?.Split(", ") ?? [];
            if (answer.Status != 405 || !told.Order().SequenceEqual(allowed.Order()))
            {
                faults.Add($"{method}: {answer.Status}, Allow: {string.Join(", ", told)} in place of {string.Join(", ", allowed)}");
            }
            else if (method == "HEAD" ? answer.Text.Length > 0 : answer.Reason != RequestReasons.MethodNotAllowed)
            {
                faults.Add($"{method}: {answer.Text}");
            }
        }

        RouteTableServer.Require(faults);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Head_WhereGetIs_HasItsStatusAndFieldsWithoutContent(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        if (method != "GET")
        {
            return;
        }

        // What is different each time, and how content is framed that HEAD does not have.
        string[] apart = ["Date: ", "Transfer-Encoding: ", "Content-Length: "];
        foreach (
            var address in new[]
            {
                table.AddressOf(operation) + operation.FairQuery,
                table.AddressOf(operation) + "?path=%00&width=0&all=0",
            }
        )
        {
            var get = await table.AskAsync(table.Request("GET", address));
            var head = await table.AskAsync(table.Request("HEAD", address));

            Assert.Equal((get.Status, ""), (head.Status, head.Text));
            Assert.Equal(FieldsOf(get), FieldsOf(head));
            Assert.Contains(head.Field("Content-Length"), new[] { null, get.Field("Content-Length") });
        }

        IEnumerable<string> FieldsOf(Answer answer) =>
            answer.Fields.Where(field => !apart.Any(name => field.StartsWith(name, StringComparison.OrdinalIgnoreCase))).Order();
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Body_WhereNoneIsTaken_DoesNoHarm(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        if (operation.BodyType is null)
        {
            var address = table.AddressOf(operation) + operation.FairQuery;
            var request = table.Request(method, address, new byte[100_000], ApiOperation.Json);
            await table.RequireFairAnswersAsync(operation, [($"{operation}", request)]);
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Query_ThatIsOdd_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        string[] values =
        [
            "",
            "=",
            "=-1",
            "=1.5",
            "=0",
            "=1",
            "=true",
            "=99999999999999999999",
            "=%",
            "=%zz",
            "=%ff",
            "=%00",
            "=%0d%0aa:%20b",
            "=%ed%a0%80",
            "=%F0%9F%98%80",
            "=/..%2f..%2fetc",
            "=/a/",
            "=/a%20b",
            "=/nothing",
            $"={PlayedFiles.Root}",
            "=/proc/1/mem",
            $"=/{new string('x', LongName)}",
            "=a=b=c",
        ];
        await table.RequireFairAnswersAsync(
            operation,
            from name in operation.Queries.Append("oriel-unknown").Append("%00")
            let fair = name == "path" ? "" : operation.FairQuery.Replace('?', '&')
            from value in values
            from query in (string[])[$"{name}{value}", $"{name}{value}&{name}=1", $"&&{name}{value}&"]
            select (query, table.Fair(operation, $"{table.AddressOf(operation)}?{query}{fair}"))
        );
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Path_ThatNamesNothing_Is404(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        string[] values =
        [
            RouteTableServer.NoSuchId,
            "D-AAAAAAAAAA",
            "0",
            "%20",
            "..%2f..",
            "%2e%2e%2f",
            "%00",
            "a%00b",
            "%",
            "%zz",
            "%ff",
            "%ed%a0%80",
            "%F0%9F%98%80",
            "%0d%0aa:%20b",
            "%7bid%7d",
            "a;b=c",
            new string('x', LongName),
        ];
        var faults = new List<string>();
        foreach (var name in operation.PathNames)
        {
            foreach (var value in values)
            {
                var answer = await table.AskAsync(table.Fair(operation, table.AddressOf(operation, name, value) + operation.FairQuery));
                faults.AddRange(RouteTableServer.Faults(operation, answer, $"{name} {value}"));
                if (answer.Status != 404 && !answer.IsParsers)
                {
                    faults.Add($"{name} {value}: {answer.Status} {answer.Text}");
                }
            }
        }

        RouteTableServer.Require(faults);
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Field_ThatIsOdd_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        var fields = new (string Name, string Value)[]
        {
            ("Range", "bytes=0-0"),
            ("Range", "bytes=-0"),
            ("Range", "bytes=5-1"),
            ("Range", "bytes=9223372036854775807-"),
            ("Range", "bytes=0-9223372036854775807"),
            ("Range", "bytes=99999999999999999999-"),
            ("Range", "bytes=0-1,3-4"),
            ("Range", "lines=1-2"),
            ("If-Match", "*"),
            ("If-Match", "\"a\", W/\"b\", x"),
            ("If-None-Match", "*"),
            ("Last-Event-ID", "-1"),
            ("Last-Event-ID", "9223372036854775807"),
            ("Last-Event-ID", "99999999999999999999"),
            ("Accept", "nothing/else;q=0"),
            ("Accept-Encoding", "gzip;q=x, *;q=0"),
            ("Content-Encoding", "gzip"),
            ("Cookie", "oriel-session=a; oriel-session=b; ="),
            ("Origin", "null"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Forwarded-Host", "other.example"),
            ("Expect", "something"),
        };
        await table.RequireFairAnswersAsync(
            operation,
            fields.Select(field => ($"{field.Name}: {field.Value}", With(field.Name, field.Value)))
        );

        HttpRequestMessage With(string name, string value)
        {
            var request = table.Fair(operation);
            request.Headers.TryAddWithoutValidation(name, value);
            return request;
        }
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Caller_WhoMayNot_IsAnsweredAsDocumented(string method, string path)
    {
        var operation = ApiOperation.Of(method, path);
        using var elsewhere = table.Fair(operation);
        elsewhere.Headers.Host = "other.example";
        using var socket = table.Fair(operation);
        socket.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        socket.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        socket.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        socket.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==");
        socket.Headers.TryAddWithoutValidation("Origin", "https://other.example");
        Answer[] answers =
        [
            await table.AskAsync(elsewhere),
            await table.AskAsync(table.Fair(operation), table.Server.Anonymous),
            await table.AskAsync(socket),
        ];

        RouteTableServer.Require(answers.SelectMany(answer => RouteTableServer.Faults(operation, answer, $"{operation}")));
        Assert.Equal((421, RequestReasons.WrongHost), (answers[0].Status, answers[0].Reason));
    }

    [Theory]
    [MemberData(nameof(Operations))]
    public async Task Calls_ManyAtTheSameTime_AreAnsweredAsDocumented(string method, string path)
    {
        const int Many = 32;
        var operation = ApiOperation.Of(method, path);
        var answers = await Task.WhenAll(Enumerable.Range(0, Many).Select(_ => table.AskAsync(table.Fair(operation))));
        RouteTableServer.Require(answers.SelectMany(answer => RouteTableServer.Faults(operation, answer, $"{operation}")).Distinct());
    }
}
