using System.Diagnostics;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.RegularExpressions;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Server;

/// <summary>
/// The published server as <c>oriel serve</c> runs it, in a network namespace of its own with addresses that nobody else has, as an
/// ordinary user of a namespace within. Its clients reach it from inside.
/// </summary>
internal sealed partial class ServerInNamespace : IAsyncDisposable
{
    public const string Address4 = "203.0.113.5";
    public const string Address6 = "2001:db8::5";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private readonly StringBuilder _output = new();
    private readonly string _data = Directory.CreateTempSubdirectory("oriel-beyond-").FullName;
    private readonly TaskCompletionSource<Match> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Process? _process;

    public DataLayout Layout => new(_data);

    /// <summary>As it was printed.</summary>
    public Uri Url { get; private set; } = null!;

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

    public static async Task<ServerInNamespace> StartAsync(params string[] options)
    {
        var app = Environment.GetEnvironmentVariable("ORIEL_TEST_APP");
        Assert.SkipWhen(app is null, "ORIEL_TEST_APP is not set: ./oriel test linux publishes the application and sets it");
        var server = new ServerInNamespace();
        try
        {
            await server.LaunchAsync(Path.Combine(app!, "oriel.dll"), options);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A connection to one of the server's addresses, made inside its namespace.</summary>
    public Stream Connect(string host, int port)
    {
        // bash speaks TCP by itself; what it is told on its standard input goes there, what comes from there it tells.
        var client = Start(
            "nsenter",
            "--preserve-credentials",
            "--user",
            "--net",
            "--target",
            $"{_process!.Id}",
            "bash",
            "-c",
            "exec 4<&0 3<>\"/dev/tcp/$0/$1\" && { cat <&4 >&3 & cat <&3; kill $!; }",
            host,
            $"{port}"
        );
        return new ProcessStream(client);
    }

    /// <summary>A client that takes any certificate and keeps the one that it was shown.</summary>
    public (HttpClient Client, Func<X509Certificate2?> Shown) Client(string host)
    {
        X509Certificate2? shown = null;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectCallback = (context, _) => ValueTask.FromResult(Connect(host, context.DnsEndPoint.Port)),
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                {
                    shown = new X509Certificate2(certificate!);
                    return true;
                },
            },
        };
        return (new HttpClient(handler) { BaseAddress = Url, Timeout = Deadline }, () => shown);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            // The shell that holds the namespace ends with the server that it waits for.
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        Directory.Delete(_data, recursive: true);
    }

    private static Process Start(string program, params string[] arguments) =>
        Process.Start(
            new ProcessStartInfo(program, arguments)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;

    private async Task LaunchAsync(string dll, string[] options)
    {
        // The shell stays, in the namespace that owns the network: clients come in by it.
        const string Script = """
            set -e
            ip link set lo up
            ip addr add 203.0.113.5/32 dev lo
            ip -6 addr add 2001:db8::5/128 dev lo nodad
            unshare --user --map-user=4321 --map-group=4321 -- "$@" &
            wait
            """;
        string[] serve = ["dotnet", dll, "serve", "--data", _data, "--port", "0", "--media-port", "0", .. options];
        _process = Start("unshare", ["--user", "--map-root-user", "--net", "--", "bash", "-c", Script, "serve", .. serve]);
        _process.OutputDataReceived += Read;
        _process.ErrorDataReceived += Read;
        _process.EnableRaisingEvents = true;
        _process.Exited += (_, _) => _ready.TrySetException(new InvalidOperationException("The server ended: " + Output));
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        try
        {
            Url = new Uri((await _ready.Task.WaitAsync(Deadline)).Groups["url"].Value);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException("The server printed no sign-in URL: " + Output);
        }
    }

    private void Read(object sender, DataReceivedEventArgs line)
    {
        lock (_output)
        {
            _output.AppendLine(line.Data);
        }

        if (SignInLine().Match(line.Data ?? "") is { Success: true } match)
        {
            _ready.TrySetResult(match);
        }
    }

    [GeneratedRegex(@"(?<url>https?://\S+:\d+)/signin#token=")]
    private static partial Regex SignInLine();

    /// <summary>A process as a stream: what is written it reads, what it writes is read.</summary>
    private sealed class ProcessStream(Process process) : Stream
    {
        private readonly Stream _in = process.StandardInput.BaseStream;
        private readonly Stream _out = process.StandardOutput.BaseStream;
        private bool _closed;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() => _in.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => _in.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => _out.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _out.ReadAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => _in.Write(buffer, offset, count);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _in.WriteAsync(buffer, cancellationToken);
            await _in.FlushAsync(cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            if (!_closed)
            {
                _closed = true;
                process.Kill(entireProcessTree: true);
                process.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
