using System.Text;
using Oriel.Keeper.Events;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Logs;

/// <summary>
/// The guest's console: each line goes to the events and to <c>console.log</c>, which is turned over to <c>console.log.1</c> when it has
/// reached its bound, so that a guest cannot fill the disk. Bytes that are not UTF-8 and control characters are replaced.
/// </summary>
internal sealed class ConsoleLog(string path, EventLog events, long maxBytes = ConsoleLog.DefaultMaxBytes) : IDisposable
{
    public const long DefaultMaxBytes = 1024 * 1024;
    public const int MaxLineBytes = 2000;

    private readonly byte[] _line = new byte[MaxLineBytes];
    private readonly RollingFile _file = new(path, maxBytes);
    private int _length;

    /// <summary>Each line, after it was written; called by whoever reads the console.</summary>
    public event Action<string>? LineWritten;

    /// <summary>Reads until the other end closes. The buffer is small: a console is no bulk channel.</summary>
    public async Task PumpAsync(Stream console, CancellationToken cancellationToken)
    {
        var buffer = new byte[4096];
        try
        {
            int count;
            while ((count = await console.ReadAsync(buffer, cancellationToken)) > 0)
            {
                Append(buffer.AsSpan(0, count));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The guest is gone or we are: what was read is all there is.
        }

        EndLine();
    }

    public void Dispose() => _file.Dispose();

    internal void Append(ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            if (value == '\n' || _length == MaxLineBytes)
            {
                EndLine();
            }

            if (value != '\n')
            {
                _line[_length++] = value;
            }
        }
    }

    private void EndLine()
    {
        if (_length == 0)
        {
            return;
        }

        var text = Printable(_line.AsSpan(0, _length));
        _length = 0;
        events.Publish(at => new ConsoleLine(at, text));
        _file.Write(Encoding.UTF8.GetBytes(text + "\n"));
        LineWritten?.Invoke(text);
    }

    private static string Printable(ReadOnlySpan<byte> bytes)
    {
        var characters = Encoding.UTF8.GetString(bytes).TrimEnd('\r').ToCharArray();
        for (var i = 0; i < characters.Length; i++)
        {
            if (char.IsControl(characters[i]) && characters[i] != '\t')
            {
                characters[i] = '\uFFFD';
            }
        }

        return new string(characters);
    }
}
