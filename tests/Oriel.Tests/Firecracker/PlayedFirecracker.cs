using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Oriel.Keeper.Drivers.Firecracker;

namespace Oriel.Tests.Firecracker;

/// <summary>
/// A stand-in of the VMM, made from its published interface: it takes exactly the requests that the document has, judges their bodies by
/// its schemas and their order by its words, and answers as the VMM does (an empty reason, 204 without a length, faults as
/// <c>fault_message</c>). It runs no guest.
/// </summary>
internal sealed class PlayedFirecracker : IAsyncDisposable
{
    private static readonly ApiDocument Document = ApiDocument.Published;
    private static readonly SchemaCheck Schemas = new(Document.Definitions);

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("fc").FullName;
    private readonly Task _serving;
    private readonly HashSet<string> _configured = [];

    public PlayedFirecracker()
    {
        SocketPath = Path.Combine(_directory, "api.sock");
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen();
        _serving = ServeAsync();
    }

    public string SocketPath { get; }

    /// <summary>As in <c>GET /</c>.</summary>
    public string State { get; private set; } = "Not started";

    /// <summary>What it says of itself.</summary>
    public string Version { get; init; } = "1.16.1";

    private bool CanDiffUntracked =>
        FirecrackerVersion.TryParse(Version, out var version) && FirecrackerCapabilities.Of(version).SparseFirstSnapshot;

    /// <summary>Method and path, in order.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>The bodies of those.</summary>
    public List<JsonNode?> Bodies { get; } = [];

    /// <summary>Each request that was against the document, and why.</summary>
    public List<string> Violations { get; } = [];

    /// <summary>Answers raw bytes instead, for the faults that a broken VMM has; null bytes: nothing at all.</summary>
    public Func<string, Socket, Task<bool>>? Misbehave { get; init; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        _stop.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var connection = await _listener.AcceptAsync(_stop.Token);
                try
                {
                    await AnswerAsync(connection);
                }
                catch (SocketException)
                {
                    // The client has gone away in the middle.
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The end.
        }
    }

    private async Task AnswerAsync(Socket connection)
    {
        using var stream = new NetworkStream(connection);
        var (method, path, text) = await ReadRequestAsync(stream);
        if (Misbehave is { } misbehave && await misbehave($"{method} {path}", connection))
        {
            return;
        }

        var body = text.Length == 0 ? null : JsonNode.Parse(text);
        Requests.Add($"{method} {path}");
        Bodies.Add(body);
        var fault = Judge(method, path, body, out var operation);
        if (fault is not null)
        {
            Violations.Add($"{method} {path}: {fault}");
            await WriteAsync(stream, 400, new JsonObject { ["fault_message"] = fault });
            return;
        }

        Apply(method, path, body);
        var answer = operation!.Answer is null ? null : Compose(path);
        if (answer is not null)
        {
            Assert.Empty(Schemas.Faults(answer, operation.Answer!));
        }

        await WriteAsync(stream, answer is null ? 204 : 200, answer);
    }

    private async Task<(string Method, string Path, string Body)> ReadRequestAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, _stop.Token) == 0)
            {
                throw new SocketException((int)SocketError.ConnectionReset);
            }

            head.Append((char)one[0]);
        }

        var lines = head.ToString().Split("\r\n");
        var length = lines.FirstOrDefault(line => line.StartsWith("Content-Length: ", StringComparison.Ordinal)) is { } header
            ? int.Parse(header["Content-Length: ".Length..])
            : 0;
        var body = new byte[length];
        await stream.ReadExactlyAsync(body, _stop.Token);
        return (lines[0].Split(' ')[0], lines[0].Split(' ')[1], Encoding.UTF8.GetString(body));
    }

    private string? Judge(string method, string path, JsonNode? body, out ApiOperation? operation)
    {
        operation = Document.Find(method, path, body, out var fault);
        if (operation is null)
        {
            return "the document has no such request";
        }

        if (operation.Body is null ? body is not null : body is null && operation.BodyRequired)
        {
            return operation.Body is null ? "a body where there is none" : "no body";
        }

        var faults = body is null ? [] : Schemas.Faults(body, operation.Body!);
        return fault ?? (faults.Count > 0 ? string.Join("; ", faults) : JudgeOrder(operation, path, body));
    }

    private string? JudgeOrder(ApiOperation operation, string path, JsonNode? body)
    {
        var started = State != "Not started";
        var action = body?["action_type"]?.GetValue<string>();
        return path switch
        {
            _ when operation.Stage == ApiStage.BeforeStart && started =>
                "The requested operation is not supported after starting the microVM.",
            _ when operation.Stage == ApiStage.AfterStart && !started =>
                "The requested operation is not supported before starting the microVM.",
            "/actions" when action == "InstanceStart" && started => "The microVM is already running.",
            "/actions" when action == "InstanceStart" && !_configured.Contains("/boot-source") =>
                "Cannot start microvm without kernel configuration.",
            "/actions" when action != "InstanceStart" && !started =>
                "The requested operation is not supported before starting the microVM.",
            "/snapshot/create" when State != "Paused" => "Cannot take a snapshot of a microVM that is not paused.",
            // In the words of 1.10.1.
            "/snapshot/create" when body?["snapshot_type"]?.GetValue<string>() == "Diff" && !CanDiffUntracked =>
                "The requested operation is not supported: Diff snapshots are not allowed on uVMs with dirty page tracking disabled.",
            "/snapshot/load" when _configured.Any(configured => configured is not ("/logger" or "/metrics")) =>
                "Loading a microVM snapshot not allowed after configuring boot-specific resources.",
            _ => null,
        };
    }

    private void Apply(string method, string path, JsonNode? body)
    {
        if (method == "PUT")
        {
            _configured.Add(path);
        }

        State = (
            path,
            body?["action_type"]?.GetValue<string>(),
            body?["state"]?.GetValue<string>(),
            body?["resume_vm"]?.GetValue<bool>()
        ) switch
        {
            ("/actions", "InstanceStart", _, _) => "Running",
            ("/vm", _, "Paused", _) => "Paused",
            ("/vm", _, "Resumed", _) => "Running",
            ("/snapshot/load", _, _, true) => "Running",
            ("/snapshot/load", _, _, _) => "Paused",
            _ => State,
        };
    }

    private JsonNode Compose(string path) =>
        JsonNode.Parse(
            (
                path switch
                {
                    "/" => new JsonObject
                    {
                        ["app_name"] = "Firecracker",
                        ["id"] = "anonymous-instance",
                        ["state"] = State,
                        ["vmm_version"] = Version,
                    },
                    "/version" => new JsonObject { ["firecracker_version"] = Version },
                    _ => throw new InvalidOperationException($"nothing of Oriel asks for {path}"),
                }
            ).ToJsonString()
        )!;

    // As micro_http writes it.
    private static async Task WriteAsync(NetworkStream stream, int status, JsonNode? body)
    {
        var content = body?.ToJsonString() ?? "";
        var headers = body is null ? "" : $"Content-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(content)}\r\n";
        await stream.WriteAsync(
            Encoding.UTF8.GetBytes($"HTTP/1.1 {status} \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n{headers}\r\n{content}")
        );
    }
}
