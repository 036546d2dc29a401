using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Oriel.Egress.Dialing;
using Oriel.Egress.Policy;
using Oriel.Egress.Proxy;
using Oriel.Egress.Sessions;
using Oriel.Linux.Descriptors;

namespace Oriel.Egress;

/// <summary>
/// Where keepers hand over the connections of their guests: a unix socket, one accepted connection for each of a guest's. Every
/// policy decision and every dial out of this host is taken here. Safe for concurrent use; the owner disposes it.
/// </summary>
public sealed partial class EgressGateway : IAsyncDisposable
{
    private readonly EgressOptions _options;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Socket _listener;
    private readonly GuestConnection _connection;
    private readonly ConcurrentDictionary<string, EgressSession> _sessions = new();
    private readonly ConcurrentDictionary<Task, byte> _running = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly NameLookups _names = new();
    private readonly Task _accepting;

    private EgressGateway(EgressOptions options, TimeProvider clock, ILogger logger, Socket listener)
    {
        _options = options;
        _clock = clock;
        _logger = logger;
        _listener = listener;
        var dialer = new Dialer(options, new AddressGuard(options), _names);
        _connection = new GuestConnection(options, dialer);
        _accepting = AcceptAsync();
    }

    /// <summary>Starts to listen. A socket file that a killed server left behind is replaced.</summary>
    /// <exception cref="SocketException">The path cannot be bound.</exception>
    public static EgressGateway Start(EgressOptions options, TimeProvider clock, ILogger<EgressGateway> logger)
    {
        File.Delete(options.SocketPath);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(options.SocketPath));
            File.SetUnixFileMode(options.SocketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            listener.Listen(512);
            return new EgressGateway(options, clock, logger, listener);
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    /// <summary>Lets a desktop out from now on, by its policy.</summary>
    /// <param name="key">The egress key of its keeper's spec, 32 bytes.</param>
    /// <exception cref="ArgumentException">The policy does not validate.</exception>
    /// <exception cref="InvalidOperationException">The desktop is registered already.</exception>
    public EgressSession Register(string desktopId, byte[] key, EgressPolicy policy)
    {
        if (policy.Validate() is { } error)
        {
            throw new ArgumentException(error, nameof(policy));
        }

        var session = new EgressSession(
            desktopId,
            key,
            policy,
            _options,
            _clock,
            ended => _sessions.TryRemove(KeyValuePair.Create(ended.DesktopId, ended))
        );
        return _sessions.TryAdd(desktopId, session)
            ? session
            : throw new InvalidOperationException($"Desktop {desktopId} is registered already.");
    }

    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested)
        {
            return;
        }

        await _stopping.CancelAsync();
        _listener.Dispose();
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }

        await _accepting;
        await Task.WhenAll(_running.Keys);
        _names.Dispose();
        File.Delete(_options.SocketPath);
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptNextAsync(_stopping.Token, LogAcceptFailed);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }

            var task = ServeAsync(socket);
            _running.TryAdd(task, 0);
            _ = task.ContinueWith(
                done => _running.TryRemove(done, out _),
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default
            );
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await Task.Yield();
        using var stream = new NetworkStream(socket, ownsSocket: true);
        try
        {
            var reader = new HttpReader(stream);
            var preamble = await PreambleReader.ReadAsync(reader, _options.HeadTimeout, _stopping.Token);
            if (preamble is null || !_sessions.TryGetValue(preamble.DesktopId, out var session))
            {
                // Of a desktop that ends: its guest may go on to connect for as long as its keeper lives.
                LogConnectionEnded("no such desktop");
                return;
            }

            if (!session.HasKey(preamble.Key))
            {
                LogWrongKey(preamble.DesktopId);
                return;
            }

            using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token, session.Ended);
            await _connection.ServeAsync(session, preamble, reader, socket, ended.Token);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            LogConnectionEnded(e.GetType().Name);
        }
        catch (Exception e)
        {
            LogConnectionFailed(e);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Egress socket: accept failed")]
    private partial void LogAcceptFailed(SocketException exception);

    [LoggerMessage(LogLevel.Warning, "Egress socket: a connection for {Desktop} had not its key")]
    private partial void LogWrongKey(string desktop);

    [LoggerMessage(LogLevel.Debug, "Egress connection ended: {Cause}")]
    private partial void LogConnectionEnded(string cause);

    [LoggerMessage(LogLevel.Error, "Egress connection failed")]
    private partial void LogConnectionFailed(Exception exception);
}
