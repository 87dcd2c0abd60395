"""What is done to video: film, codec, blur, noise. Numbers and tensors in, tensors out."""
