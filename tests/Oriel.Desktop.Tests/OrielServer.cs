using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Oriel.Protocol.Layout;

namespace Oriel.Desktop.Tests;

/// <summary>
/// A real server process on a data directory of its own, as <c>./oriel up</c> starts it, with the image store that the run built. Kill and
/// start again as a test likes; disposing ends its desktops as well.
/// </summary>
public sealed partial class OrielServer : IAsyncDisposable
{
    private readonly StringBuilder _output = new();
    private readonly string[] _options;
    private Process? _process;
    private int _disk;

    private OrielServer(string data, string[] options)
    {
        Data = data;
        _options = options;
    }

    public string Data { get; }

    public int Port { get; private set; }

    public Uri Address => new($"http://127.0.0.1:{Port}");

    /// <summary>With the one-time token; good for one sign-in.</summary>
    public string SignInUrl { get; private set; } = "";

    public HttpClient Api { get; private set; } = new();

    public int ProcessId => _process?.Id ?? 0;

    public bool IsRunning => _process is { HasExited: false };

    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <summary>Null where the run has prepared no application and image; the caller skips with this as the reason.</summary>
    public static string? MissingReason() =>
        Environment.GetEnvironmentVariable("ORIEL_TEST_APP") is null || Environment.GetEnvironmentVariable("ORIEL_TEST_DATA") is null
            ? "ORIEL_TEST_APP and ORIEL_TEST_DATA are not set: ./oriel test desktop publishes the application, builds the image and sets them"
            : null;

    public static Task<OrielServer> StartAsync(params string[] options) => StartAsync(null, options);

    /// <param name="templates">Of the operator, as <c>templates.json</c>.</param>
    public static async Task<OrielServer> StartAsync(JsonArray? templates, string[] options)
    {
        var data = Directory.CreateTempSubdirectory("oriel-desktop-ring-").FullName;
        if (templates is not null)
        {
            await File.WriteAllTextAsync(new DataLayout(data).Templates, templates.ToJsonString());
        }

        var server = new OrielServer(data, options);
        await server.LaunchAsync(port: 0);
        return server;
    }

    /// <summary>
    /// Its data directory is a file system of its own in memory, of so many MiB, seen by the server and its desktops alone.
    /// </summary>
    public static async Task<OrielServer> StartOnDiskAsync(int mebibytes, params string[] options)
    {
        var server = new OrielServer(Directory.CreateTempSubdirectory("oriel-desktop-ring-").FullName, options) { _disk = mebibytes };
        await server.LaunchAsync(port: 0);
        return server;
    }

    /// <summary>Where the test finds what is in the data directory.</summary>
    public DataLayout Layout => new(_disk == 0 ? Data : $"/proc/{ProcessId}/root{Data}");

    /// <summary>A one-time sign-in URL of its own for each page, by the command that a person would use.</summary>
    public async Task<string> NewSignInUrlAsync()
    {
        var app = Environment.GetEnvironmentVariable("ORIEL_TEST_APP")!;
        var start = new ProcessStartInfo("dotnet", [Path.Combine(app, "oriel.dll"), "token", "--data", Data, "--new-signin"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        var url = SignInLine().Match(output);
        Assert.True(url.Success, $"oriel token --new-signin printed no URL: {output} {await process.StandardError.ReadToEndAsync()}");
        return url.Value;
    }

    /// <summary>The API token, which also signs a page in.</summary>
    public async Task<string> TokenAsync() => (await File.ReadAllTextAsync(Layout.Token)).Trim();

    /// <summary>SIGKILL, as a crash would end it: keepers and guests must live on.</summary>
    public async Task KillAsync()
    {
        _process!.Kill(entireProcessTree: false);
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as ./oriel's Ctrl-C: the desktops that somebody has live on, those that only wait end.</summary>
    public async Task StopAsync()
    {
        using (var kill = Process.Start("kill", ["-TERM", $"{ProcessId}"]))
        {
            await kill.WaitForExitAsync();
        }

        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        try
        {
            await _process!.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            await KillAsync();
            throw new TimeoutException($"The server did not stop within 60 s: {Output}");
        }
    }

    /// <summary>Starts again on the same port and data directory.</summary>
    public Task RestartAsync() => LaunchAsync(Port);

    /// <summary>
    /// The port of the media endpoint, as the server's own start-up line names it; a server that was started again has another.
    /// </summary>
    public Task<int> MediaPortAsync() =>
        MediaLine().Matches(Output) is { Count: > 0 } lines
            ? Task.FromResult(int.Parse(lines[^1].Groups["port"].Value, System.Globalization.CultureInfo.InvariantCulture))
            : throw new InvalidOperationException("The server printed no media port: " + Output);

    public async Task<JsonObject> CreateDesktopAsync(object request)
    {
        using var response = await Api.PostAsJsonAsync("/api/desktops", request);
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == System.Net.HttpStatusCode.Created, $"POST /api/desktops: {(int)response.StatusCode} {body}");
        return JsonNode.Parse(body)!.AsObject();
    }

    /// <summary>Follows the desktop's events until it is ready; the deadline and a failure say what was last seen.</summary>
    public async Task<JsonObject> WaitReadyAsync(string id, TimeSpan? deadline = null)
    {
        using var timeout = new CancellationTokenSource(deadline ?? TimeSpan.FromMinutes(5));
        var last = "nothing";
        try
        {
            await foreach (var (kind, data) in EventsAsync(id, timeout.Token))
            {
                last = $"{kind} {data}";
                if (
                    kind == "state"
                    && JsonNode.Parse(data)!["state"]!.GetValue<string>() is var state
                    && state is "ready" or "failed" or "destroyed"
                )
                {
                    Assert.True(state == "ready", $"The desktop is {state}: {data}\n{await LogAsync(id)}");
                    return (await Api.GetFromJsonAsync<JsonObject>($"/api/desktops/{id}", timeout.Token))!;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Told below with what was seen.
        }

        throw new TimeoutException($"Desktop {id} did not become ready; last event: {last}\n{await LogAsync(id)}\n{Output}");
    }

    public async IAsyncEnumerable<(string Kind, string Data)> EventsAsync(
        string id,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/desktops/{id}/events");
        using var response = await Api.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        response.EnsureSuccessStatusCode();
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in System.Net.ServerSentEvents.SseParser.Create(stream).EnumerateAsync(cancellationToken))
        {
            yield return (item.EventType, item.Data);
        }
    }

    public Task<(int ExitCode, string Stdout, string Stderr)> ExecAsync(string id, string command, params string[] args) =>
        ExecAsync(id, 60, command, args);

    public async Task<(int ExitCode, string Stdout, string Stderr)> ExecAsync(string id, int seconds, string command, params string[] args)
    {
        using var response = await Api.PostAsJsonAsync(
            $"/api/desktops/{id}/exec",
            new
            {
                command,
                args,
                timeout = seconds,
            }
        );
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"exec {command}: {(int)response.StatusCode} {body}");
        var result = JsonNode.Parse(body)!;
        return (result["exitCode"]!.GetValue<int>(), result["stdout"]!.GetValue<string>(), result["stderr"]!.GetValue<string>());
    }

    /// <param name="seconds">At most; the client itself waits two minutes.</param>
    public Task<(int ExitCode, string Stdout, string Stderr)> ShellAsync(string id, string script, int seconds = 60) =>
        ExecAsync(id, seconds, "/bin/bash", "-c", script);

    public async Task<string> LogAsync(string id)
    {
        try
        {
            return await Api.GetStringAsync($"/api/desktops/{id}/log");
        }
        catch (HttpRequestException e)
        {
            return $"(no log: {e.Message})";
        }
    }

    /// <summary>Asks again and again until it holds; for what has no event. The deadline names the last answer.</summary>
    public static Task EventuallyAsync(Func<Task<string?>> stillWrong, TimeSpan deadline) => Eventually.HoldsAsync(stillWrong, deadline);

    /// <summary>Destroys every desktop but the given one, and waits until they are gone.</summary>
    public async Task DestroyAllAsync(string? but)
    {
        foreach (var id in await OthersAsync())
        {
            await Api.DeleteAsync($"/api/desktops/{id}");
        }

        await EventuallyAsync(
            async () => await OthersAsync() is { Length: > 0 } left ? $"desktops are left: {string.Join(", ", left)}" : null,
            TimeSpan.FromSeconds(60)
        );

        async Task<string[]> OthersAsync() =>
            [
                .. (await Api.GetFromJsonAsync<JsonObject>("/api/desktops"))!["desktops"]!
                    .AsArray()
                    .Select(desktop => desktop!["id"]!.GetValue<string>())
                    .Where(id => id != but),
            ];
    }

    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
        {
            await DestroyAllAsync(but: null);
            await StopAsync();
        }

        await Eyes.KeepTextAsync("server.log", Output);
        Directory.Delete(Data, recursive: true);
    }

    private async Task LaunchAsync(int port)
    {
        var app = Environment.GetEnvironmentVariable("ORIEL_TEST_APP")!;
        var images = new DataLayout(Environment.GetEnvironmentVariable("ORIEL_TEST_DATA")!).Images;
        string[] store = _options.Contains("--images") ? [] : ["--images", images];
        string[] arguments =
        [
            Path.Combine(app, "oriel.dll"),
            "serve",
            "--data",
            Data,
            .. store,
            "--bind",
            "127.0.0.1",
            "--port",
            $"{port}",
            "--media-port",
            "0",
            .. _options,
        ];
        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (_disk > 0)
        {
            start = new ProcessStartInfo("bash", ["-c", OnDisk, Data, $"{_disk}", "dotnet", .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
        }

        var ready = new TaskCompletionSource<Match>(TaskCreationOptions.RunContinuationsAsynchronously);
        _process = Process.Start(start)!;
        void Read(object sender, DataReceivedEventArgs line)
        {
            lock (_output)
            {
                _output.AppendLine(line.Data);
            }

            if (SignInLine().Match(line.Data ?? "") is { Success: true } match)
            {
                ready.TrySetResult(match);
            }
        }

        _process.OutputDataReceived += Read;
        _process.ErrorDataReceived += Read;
        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => ready.TrySetException(new InvalidOperationException("The server ended: " + Output));
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Match url;
        try
        {
            url = await ready.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException)
        {
            throw new TimeoutException("The server printed no sign-in URL within 60 s: " + Output);
        }

        SignInUrl = url.Value;
        Port = int.Parse(url.Groups["port"].Value, System.Globalization.CultureInfo.InvariantCulture);
        Api.Dispose();
        Api = new HttpClient { BaseAddress = Address, Timeout = TimeSpan.FromSeconds(120) };
        Api.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await TokenAsync());
    }

    /// <summary>
    /// A user namespace with the ids of this one, so that a file system can be mounted. The capabilities stay with the server there:
    /// newuidmap has no others to give the keepers their ids with.
    /// </summary>
    private const string OnDisk = """
        range() { awk -F: -v user="$(id -un)" '$1 == user { print $2 "," $2 "," $3; exit }' "$1"; }
        exec unshare --user --mount --map-users="$(range /etc/subuid)" --map-groups="$(range /etc/subgid)" --map-user="$(id -u)" --map-group="$(id -g)" --keep-caps -- \
            bash -c 'size=$1; shift; mount -t tmpfs -o "size=${size}m,mode=0700,uid=$(id -u),gid=$(id -g)" tmpfs "$0" && exec "$@"' "$0" "$@"
        """;

    [GeneratedRegex(@"Media is served on UDP and TCP port (?<port>\d+)")]
    private static partial Regex MediaLine();

    [GeneratedRegex(@"http://127\.0\.0\.1:(?<port>\d+)/signin#token=[\w-]+")]
    private static partial Regex SignInLine();
}
