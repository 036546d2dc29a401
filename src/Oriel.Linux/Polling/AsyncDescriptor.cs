using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Polling;

/// <summary>
/// A pipe's end or a terminal, read and written without blocking a thread. One read and one write may be under way at a time. Owns its
/// descriptor; disposal ends what is under way with <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed class AsyncDescriptor : IDisposable
{
    /// <summary>
    /// Also held for each call on the descriptor, so that its number cannot be closed and given to another file meanwhile. The calls never
    /// block.
    /// </summary>
    private readonly Lock _lock = new();
    private readonly OwnedDescriptor _fd;
    private readonly long _key;
    private TaskCompletionSource? _readable;
    private TaskCompletionSource? _writable;
    private bool _disposed;

    public AsyncDescriptor(OwnedDescriptor fd)
    {
        _fd = fd;
        var flags = LinuxException.ThrowIfNegative(DescriptorCalls.Fcntl(fd.Value, DescriptorCalls.GetStatusFlags, 0), "fcntl", "F_GETFL");
        LinuxException.ThrowIfNegative(
            DescriptorCalls.Fcntl(fd.Value, DescriptorCalls.SetStatusFlags, flags | FileCalls.NonBlocking),
            "fcntl",
            "O_NONBLOCK"
        );
        _key = EventLoop.Shared.Register(this, fd.Value);
    }

    /// <summary>For ioctls of the owner.</summary>
    public OwnedDescriptor Descriptor => _fd;

    /// <summary>A pipe whose reading end is ours; the other is for a child and closes on exec unless inherited.</summary>
    public static (AsyncDescriptor Reader, OwnedDescriptor Writer) CreateReader()
    {
        var (read, write) = Fd.CreatePipe();
        return (new AsyncDescriptor(read), write);
    }

    /// <summary>A pipe whose writing end is ours.</summary>
    public static (OwnedDescriptor Reader, AsyncDescriptor Writer) CreateWriter()
    {
        var (read, write) = Fd.CreatePipe();
        return (read, new AsyncDescriptor(write));
    }

    /// <summary>A device or pipe, opened for reading.</summary>
    /// <exception cref="LinuxException">It cannot be opened, or is nothing that can be waited for.</exception>
    public static AsyncDescriptor OpenReader(string path) => new(Fd.Open(path, FileCalls.NonBlocking));

    /// <returns>Bytes read; 0 at the end. A terminal whose other side is closed has ended.</returns>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            var n = TryRead(buffer.Span);
            if (n >= 0)
            {
                return n;
            }

            await WaitAsync(read: true, cancellationToken);
        }
    }

    /// <returns>As <see cref="ReadAsync"/>, or -1 when there is nothing to read now.</returns>
    public int TryRead(Span<byte> buffer)
    {
        int n,
            errno;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            n = Fd.Read(_fd.Value, buffer, out errno);
        }

        return errno switch
        {
            0 => n,
            Errno.EAGAIN => -1,
            Errno.EIO => 0,
            _ => throw new LinuxException("read", errno),
        };
    }

    /// <exception cref="LinuxException">EPIPE: nobody reads any more.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            var n = TryWrite(bytes.Span);
            if (n < 0)
            {
                await WaitAsync(read: false, cancellationToken);
                continue;
            }

            bytes = bytes[n..];
        }
    }

    public void Dispose()
    {
        TaskCompletionSource?[] waiters;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            EventLoop.Shared.Unregister(_fd.Value, _key);
            _fd.Dispose();
            waiters = [_readable, _writable];
        }

        foreach (var waiter in waiters)
        {
            waiter?.TrySetException(new ObjectDisposedException(nameof(AsyncDescriptor)));
        }
    }

    internal void OnReady(uint events)
    {
        TaskCompletionSource? readable = null,
            writable = null;
        lock (_lock)
        {
            var broken = (events & (PollCalls.Error | PollCalls.HangUp)) != 0;
            if (broken || (events & PollCalls.In) != 0)
            {
                (readable, _readable) = (_readable, null);
            }

            if (broken || (events & PollCalls.Out) != 0)
            {
                (writable, _writable) = (_writable, null);
            }

            if (!_disposed)
            {
                ArmForWaiters();
            }
        }

        readable?.TrySetResult();
        writable?.TrySetResult();
    }

    private int TryWrite(ReadOnlySpan<byte> bytes)
    {
        int n,
            errno;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            n = Fd.Write(_fd.Value, bytes, out errno);
        }

        return errno switch
        {
            0 => n,
            Errno.EAGAIN => -1,
            _ => throw new LinuxException("write", errno),
        };
    }

    private async ValueTask WaitAsync(bool read, CancellationToken cancellationToken)
    {
        var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (read)
            {
                _readable = waiter;
            }
            else
            {
                _writable = waiter;
            }

            ArmForWaiters();
        }

        using (cancellationToken.Register(() => waiter.TrySetCanceled(cancellationToken)))
        {
            await waiter.Task;
        }
    }

    private void ArmForWaiters()
    {
        var events = (_readable is null ? 0 : PollCalls.In) | (_writable is null ? 0 : PollCalls.Out);
        if (events != 0)
        {
            EventLoop.Shared.Arm(_fd.Value, _key, events);
        }
    }
}
