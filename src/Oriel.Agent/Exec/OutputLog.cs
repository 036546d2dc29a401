using Google.Protobuf;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Exec;

/// <summary>
/// What a process has written, as one sequence of bytes in the order in which it was read; of more than <paramref name="capacity"/> bytes
/// the oldest are dropped. One writer, any number of readers. Safe for concurrent use.
/// </summary>
internal sealed class OutputLog(int capacity)
{
    /// <summary>Short pieces share a block, so that a process which writes byte by byte costs no more than one that does not.</summary>
    private const int BlockBytes = 256;

    private readonly Lock _lock = new();
    private readonly Queue<Block> _blocks = new();
    private Block? _last;
    private int _held;
    private long _end;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ExecExit? _exit;

    /// <summary>Bytes written since the beginning.</summary>
    public long End
    {
        get
        {
            lock (_lock)
            {
                return _end;
            }
        }
    }

    /// <summary>Where what is kept begins.</summary>
    public long Begin
    {
        get
        {
            lock (_lock)
            {
                return _blocks.TryPeek(out var first) ? first.Offset : _end;
            }
        }
    }

    /// <summary>Null while more may come.</summary>
    public ExecExit? Exit
    {
        get
        {
            lock (_lock)
            {
                return _exit;
            }
        }
    }

    /// <summary>Completes with the next change.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    /// <summary>As a command hands it on.</summary>
    public Task AppendAsync(ExecOutput output, CancellationToken cancellationToken)
    {
        var isError = output.KindCase == ExecOutput.KindOneofCase.Stderr;
        Append(isError, (isError ? output.Stderr : output.Stdout).Span);
        return Task.CompletedTask;
    }

    public void Append(bool isError, ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            while (!bytes.IsEmpty)
            {
                if (_last is null || _last.IsError != isError || _last.Room == 0)
                {
                    _last = new Block(_end, isError, new byte[Math.Max(Math.Min(bytes.Length, capacity), BlockBytes)]);
                    _blocks.Enqueue(_last);
                    _held += _last.Bytes.Length;
                }

                var part = bytes[..Math.Min(_last.Room, bytes.Length)];
                part.CopyTo(_last.Bytes.AsSpan(_last.Length));
                _last.Length += part.Length;
                _end += part.Length;
                bytes = bytes[part.Length..];
                while (_held > capacity && _blocks.Count > 1)
                {
                    _held -= _blocks.Dequeue().Bytes.Length;
                }
            }

            Pulse();
        }
    }

    /// <summary>Nothing follows.</summary>
    public void Complete(ExecExit exit)
    {
        lock (_lock)
        {
            _exit = exit;
            Pulse();
        }
    }

    /// <summary>What stands at <paramref name="offset"/>, or after it where that was dropped, up to the next change of stream.</summary>
    /// <returns>Null: nothing yet.</returns>
    public ProcessOutput? Read(long offset)
    {
        lock (_lock)
        {
            foreach (var block in _blocks)
            {
                if (block.Offset + block.Length > offset)
                {
                    var from = (int)Math.Max(0, offset - block.Offset);
                    var bytes = ByteString.CopyFrom(block.Bytes, from, block.Length - from);
                    var at = block.Offset + from;
                    return block.IsError
                        ? new ProcessOutput { Offset = at, Stderr = bytes }
                        : new ProcessOutput { Offset = at, Stdout = bytes };
                }
            }

            return null;
        }
    }

    private void Pulse()
    {
        var changed = _changed;
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.TrySetResult();
    }

    private sealed class Block(long offset, bool isError, byte[] bytes)
    {
        public long Offset => offset;

        public bool IsError => isError;

        public byte[] Bytes => bytes;

        public int Length { get; set; }

        public int Room => bytes.Length - Length;
    }
}
