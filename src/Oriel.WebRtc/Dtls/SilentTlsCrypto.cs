using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;

namespace Oriel.WebRtc.Dtls;

/// <summary>
/// BouncyCastle discards a record with a bad MAC, but ends the session when its cipher finds a record too short, of a bad length or badly
/// padded. Here all of these count as bad MACs (RFC 6347 section 4.1.2.7).
/// </summary>
internal sealed class SilentTlsCrypto() : BcTlsCrypto(new SecureRandom())
{
    public override TlsCipher CreateCipher(TlsCryptoParameters cryptoParams, int encryptionAlgorithm, int macAlgorithm) =>
        new Cipher(base.CreateCipher(cryptoParams, encryptionAlgorithm, macAlgorithm));

    private sealed class Cipher(TlsCipher inner) : TlsCipher
    {
        public bool UsesOpaqueRecordType => inner.UsesOpaqueRecordType;

        public int GetCiphertextDecodeLimit(int plaintextLimit) => inner.GetCiphertextDecodeLimit(plaintextLimit);

        public int GetCiphertextEncodeLimit(int plaintextLength, int plaintextLimit) =>
            inner.GetCiphertextEncodeLimit(plaintextLength, plaintextLimit);

        public int GetPlaintextLimit(int ciphertextLimit) => inner.GetPlaintextLimit(ciphertextLimit);

        public TlsEncodeResult EncodePlaintext(
            long seqNo,
            short contentType,
            ProtocolVersion recordVersion,
            int headerAllocation,
            byte[] plaintext,
            int offset,
            int len
        ) => inner.EncodePlaintext(seqNo, contentType, recordVersion, headerAllocation, plaintext, offset, len);

        public TlsEncodeResult EncodePlaintext(
            long seqNo,
            short contentType,
            ProtocolVersion recordVersion,
            int headerAllocation,
            ReadOnlySpan<byte> plaintext
        ) => inner.EncodePlaintext(seqNo, contentType, recordVersion, headerAllocation, plaintext);

        public TlsDecodeResult DecodeCiphertext(
            long seqNo,
            short recordType,
            ProtocolVersion recordVersion,
            byte[] ciphertext,
            int offset,
            int len
        )
        {
            try
            {
                return inner.DecodeCiphertext(seqNo, recordType, recordVersion, ciphertext, offset, len);
            }
            catch (Exception e)
            {
                throw new TlsFatalAlert(AlertDescription.bad_record_mac, e);
            }
        }

        public void RekeyDecoder() => inner.RekeyDecoder();

        public void RekeyEncoder() => inner.RekeyEncoder();
    }
}
