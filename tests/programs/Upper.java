public class Upper {
	public static void main(String[] arguments) throws java.io.IOException {
		String text = new String(System.in.readAllBytes());
		System.out.print(text.replace("1", "one"));
		System.out.flush();
	}
}
